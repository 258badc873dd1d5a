"""What rooms tell the world outside: webhooks."""

from sfu.telemetry.event_message import event_message, is_told
from sfu.telemetry.hook_queue import HookQueue
from sfu.telemetry.webhooks import Webhooks

__all__ = ["HookQueue", "Webhooks", "event_message", "is_told"]
