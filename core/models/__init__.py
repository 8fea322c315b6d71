from core.models.base import BaseModel, DatabaseUuid7, TimestampedModel
from core.models.decoding import StoredJSON
from core.models.events import Event, EventDelivery, EventQuerySet
from core.models.idempotency import IdempotencyKey
from core.models.jobs import Job
from core.models.outbox import DeadLetter, OutboxRow
from core.models.schedules import ScheduleRun
from core.models.seals import EventSeal
from core.models.soft_delete import AliveManager, SoftDeleteModel, SoftDeleteQuerySet

__all__ = [
    "AliveManager",
    "BaseModel",
    "DatabaseUuid7",
    "DeadLetter",
    "Event",
    "EventDelivery",
    "EventQuerySet",
    "EventSeal",
    "IdempotencyKey",
    "Job",
    "OutboxRow",
    "ScheduleRun",
    "SoftDeleteModel",
    "SoftDeleteQuerySet",
    "StoredJSON",
    "TimestampedModel",
]
