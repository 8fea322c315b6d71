"""Fields that several bodies of accounts share."""

import re
import zoneinfo
from typing import Any, Final

from rest_framework import serializers

from core.api.fields import EmailAddressField, SecretField

_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


class AddressField(EmailAddressField):
    """An address that mail can go to everywhere: ASCII, an international domain in its `xn--` form."""

    default_error_messages = {"not_ascii": "Use the ASCII form of this address."}

    def to_internal_value(self, data: Any) -> str:
        address = str(super().to_internal_value(data))
        if not address.isascii():
            self.fail("not_ascii")
        return address


class PasswordField(SecretField):
    """A password as it is typed; how good it has to be the services say."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=1024, **kwargs)


class LocaleField(serializers.CharField):
    """A language tag such as `en` or `pt-BR`."""

    default_error_messages = {"unknown_locale": "Give a language tag such as en or pt-BR."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=35, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        tag = str(super().to_internal_value(data))
        if not _LOCALE.fullmatch(tag):
            self.fail("unknown_locale")
        return tag


class TimeZoneField(serializers.CharField):
    """A name of the IANA time zone database, such as `Europe/Vienna`."""

    default_error_messages = {"unknown_time_zone": "Give a name such as Europe/Vienna or UTC."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        name = str(super().to_internal_value(data))
        if name not in zoneinfo.available_timezones():
            self.fail("unknown_time_zone")
        return name
