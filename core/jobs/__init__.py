"""Jobs: work that takes longer than a request. `create_job` promises one, `job_kind` says how it is done."""

from core.jobs.by_hand import carry_on, put_off
from core.jobs.files import files_of, result_url
from core.jobs.kinds import KINDS, Done, JobFailed, JobKind, Work, job_kind, kind_of, title_of
from core.jobs.lifecycle import cancel_job, create_job, expiry_of, give_up, may_fetch, retry_job, store_beforehand
from core.jobs.running import remove_expired_files, remove_left_overs, run

__all__ = [
    "KINDS",
    "Done",
    "JobFailed",
    "JobKind",
    "Work",
    "cancel_job",
    "carry_on",
    "create_job",
    "expiry_of",
    "files_of",
    "give_up",
    "job_kind",
    "kind_of",
    "may_fetch",
    "put_off",
    "remove_expired_files",
    "remove_left_overs",
    "result_url",
    "retry_job",
    "run",
    "store_beforehand",
    "title_of",
]
