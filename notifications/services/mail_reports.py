"""What providers of mail tell, each in its own form, as the one form that we act upon.

They name a mail by the Message-ID that it left with: SES among the original headers, SendGrid and Mailgun as they are,
Postmark as metadata that goes along with the mail (`notifications.channels.email`). Which sending of it they mean they
say by an id of their own, which their servers give in the answer to the mail.
"""

from collections.abc import Callable, Iterator
from email.utils import parseaddr
from typing import Any, Final

import orjson

from notifications.services.feedback import ARRIVED, CAME_BACK, UNWANTED, Feedback

TYPES: Final = (ARRIVED, CAME_BACK, UNWANTED, "sns.Notification", "postmark.*", "sendgrid.*", "mailgun.*")
"""The types of messages that are read here."""

_POSTMARK_HARD: Final = frozenset({"HardBounce", "BadEmailAddress"})
_SENDGRID_BAD: Final = frozenset({"Bounced Address", "Invalid"})
"""Why SendGrid did not even try; its other reasons are nothing against the address."""


def reports_in(type_: str, told: Any) -> list[Feedback]:
    """Return what a message tells of mails; raises `ValueError` for one that says it in another form."""
    read = _READERS.get(type_.partition(".")[0])
    try:
        return [Feedback.read(told)] if read is None else list(read(told))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"another form than that of {type_}: {error}") from error


def _of_ses(told: Any) -> Iterator[Feedback]:
    report = orjson.loads(told["Message"])
    own_id = (report.get("mail") or {}).get("messageId")
    what = report.get("eventType") or report.get("notificationType")
    if what == "Bounce":
        bounce = report["bounce"]
        for recipient in bounce["bouncedRecipients"]:
            detail = " ".join(filter(None, (recipient.get("status"), recipient.get("diagnosticCode"))))
            is_permanent = bounce.get("bounceType") == "Permanent"
            address = recipient["emailAddress"]
            yield _report(CAME_BACK, _ses_id(report), address, detail, own_id, is_permanent=is_permanent)
    elif what == "Complaint":
        for recipient in report["complaint"]["complainedRecipients"]:
            detail = report["complaint"].get("complaintFeedbackType")
            yield _report(UNWANTED, _ses_id(report), recipient["emailAddress"], detail, own_id)
    elif what == "Delivery":
        for address in report["delivery"]["recipients"]:
            yield _report(ARRIVED, _ses_id(report), address, report["delivery"].get("smtpResponse"), own_id)


def _ses_id(report: Any) -> str:
    """Return the Message-ID that we gave: SES has one of its own, and keeps ours among the headers."""
    mail = report["mail"]
    for header in mail.get("headers") or ():
        if str(header.get("name", "")).lower() == "message-id":
            return str(header.get("value", ""))
    return str((mail.get("commonHeaders") or {}).get("messageId") or mail["messageId"])


def _of_postmark(told: Any) -> Iterator[Feedback]:
    own_id = told.get("MessageID")
    message_id = (told.get("Metadata") or {}).get("message-id") or told["MessageID"]
    if told["RecordType"] == "Delivery":
        yield _report(ARRIVED, message_id, told["Recipient"], told.get("Details"), own_id)
    elif told["RecordType"] == "SpamComplaint" or told.get("Type") == "SpamComplaint":
        yield _report(UNWANTED, message_id, told["Email"], told.get("Details"), own_id)
    elif told["RecordType"] == "Bounce":
        is_permanent = told.get("Type") in _POSTMARK_HARD
        detail = told.get("Details") or told.get("Description")
        yield _report(CAME_BACK, message_id, told["Email"], detail, own_id, is_permanent=is_permanent)


def _of_sendgrid(told: Any) -> Iterator[Feedback]:
    for event in told:
        message_id, address = event.get("smtp-id") or event.get("sg_message_id", ""), event.get("email")
        reason, own_id = event.get("reason"), str(event.get("sg_message_id", "")).partition(".")[0]
        if event["event"] == "delivered":
            yield _report(ARRIVED, message_id, address, event.get("response"), own_id)
        elif event["event"] == "spamreport":
            yield _report(UNWANTED, message_id, address, reason, own_id)
        elif event["event"] == "bounce":
            is_permanent = event.get("type") != "blocked"
            yield _report(CAME_BACK, message_id, address, reason, own_id, is_permanent=is_permanent)
        elif event["event"] == "dropped":
            is_bad = reason in _SENDGRID_BAD
            yield _report(CAME_BACK, message_id, address, reason, own_id, is_permanent=True, is_against_address=is_bad)


def _of_mailgun(told: Any) -> Iterator[Feedback]:
    event = told["event-data"]
    message_id, address = event["message"]["headers"]["message-id"], event["recipient"]
    status = event.get("delivery-status") or {}
    detail = " ".join(str(part) for part in (status.get("code"), status.get("message")) if part)
    if event["event"] == "delivered":
        yield _report(ARRIVED, message_id, address, detail)
    elif event["event"] == "complained":
        yield _report(UNWANTED, message_id, address, detail)
    elif event["event"] == "failed":
        is_permanent = event.get("severity") == "permanent"
        yield _report(CAME_BACK, message_id, address, detail or event.get("reason"), is_permanent=is_permanent)


_READERS: Final[dict[str, Callable[[Any], Iterator[Feedback]]]] = {
    "sns": _of_ses,
    "postmark": _of_postmark,
    "sendgrid": _of_sendgrid,
    "mailgun": _of_mailgun,
}


def _report(
    type_: str,
    message_id: Any,
    recipient: Any,
    detail: Any,
    provider_id: Any = "",
    *,
    is_permanent: bool = False,
    is_against_address: bool = True,
) -> Feedback:
    said = str(detail or "").replace("\0", "")[:300]
    address = parseaddr(str(recipient))[1]
    told = {"type": type_, "message_id": message_id, "recipient": address, "permanent": is_permanent, "detail": said}
    own_id = provider_id if isinstance(provider_id, str) else ""
    return Feedback.read(told, is_against_address=is_against_address, provider_id=own_id.replace("\0", "")[:255])
