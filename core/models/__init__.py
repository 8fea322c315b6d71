from core.models.base import BaseModel, DatabaseUuid7, TimestampedModel
from core.models.soft_delete import AliveManager, SoftDeleteModel, SoftDeleteQuerySet

__all__ = [
    "AliveManager",
    "BaseModel",
    "DatabaseUuid7",
    "SoftDeleteModel",
    "SoftDeleteQuerySet",
    "TimestampedModel",
]
