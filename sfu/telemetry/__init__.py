"""What rooms tell the world outside: webhooks, and numbers."""

from sfu.telemetry.event_message import event_message, is_told
from sfu.telemetry.hook_queue import HookQueue
from sfu.telemetry.metrics import CONTENT_TYPE, Census, Metrics
from sfu.telemetry.webhooks import Webhooks

__all__ = ["CONTENT_TYPE", "Census", "HookQueue", "Metrics", "Webhooks", "event_message", "is_told"]
