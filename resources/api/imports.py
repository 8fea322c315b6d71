"""POST /imports: the rows of a file as resources."""

from pathlib import PurePath
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.jobs import JOB_EXAMPLE, JobShape, accepted_job
from core.api.operations import operation
from core.api.serializers import StrictSerializer, parse
from core.api.uploads import MEBIBYTE, LargeUploadField, SpooledUploadView
from core.errors import Conflict
from resources.services.importing import BY_SUFFIX, CREATE, FORMATS, MODES, request_import

_YES: Final = "true"


class ImportInput(StrictSerializer):
    """The file, and what becomes of its rows."""

    file = LargeUploadField()
    type = serializers.CharField(max_length=50)
    mode = serializers.ChoiceField(choices=MODES, default=CREATE)
    dry_run = serializers.ChoiceField(choices=[_YES, "false"], default="false")
    format = serializers.ChoiceField(
        choices=FORMATS, required=False, help_text="Left out: by the file's name (.csv, .json, .ndjson, .jsonl)."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        suffix = PurePath(attrs["file"].name).suffix.lower()
        if "format" not in attrs and suffix not in BY_SUFFIX:
            raise ValidationError({"format": [ErrorDetail("The file's name does not tell it.", code="required")]})
        return {"format": BY_SUFFIX.get(suffix), **attrs}


class Imports(SpooledUploadView):
    """Where files of rows come in."""

    access = {"POST": SIGNED_IN}
    token_scopes = {"POST": "write:resource"}
    rate_limit = "bulk"

    @property
    def file_limit(self) -> int:
        limit: int = settings.IMPORT_MAX_MEBIBYTES
        return limit * MEBIBYTE

    @operation(
        "Import resources",
        description=(
            "Multipart: a `file` (CSV with a header, a JSON array, or a JSON object in each line; UTF-8), the `type` "
            "of its rows, `mode` (`create`, or `upsert` by `external_id`, as `PUT /resources/by-external/…` does it), "
            "`dry_run` (`true` changes nothing and tells the same). Columns of a CSV are `name`, `description`, "
            "`visibility`, `tags`, `external_id`, `data.<path>` or the name of a property of the schema, and `data` "
            "(JSON); what only the server writes is ignored, so an export can be imported. The rows become the "
            "caller's own. A row that is at fault is left out: the job counts it in `failed`, and `result_url` is a "
            "CSV of row, path, code and message. A file that cannot be read to its end writes nothing. Codes of a "
            "refused `file`: `encoding`, `null_character`, `no_header`, `header`, `unknown_column`, `not_an_array`, "
            "`too_long`."
        ),
        request=ImportInput,
        response=JobShape,
        status=202,
        request_example={"file": "(the file)", "type": "invoice", "mode": "upsert", "dry_run": "true"},
        response_example={**JOB_EXAMPLE, "kind": "resources.import", "total": None, "done": 0, "state": "queued"},
        errors=(Conflict,),
    )
    def post(self, request: Request) -> HttpResponse:
        body = parse(ImportInput, request)
        upload = body["file"]
        job = request_import(
            actor=self.caller,
            file=upload,
            filename=upload.name,
            format=body["format"],
            type_key=body["type"],
            mode=body["mode"],
            dry_run=body["dry_run"] == _YES,
        )
        return accepted_job(job, self.caller)
