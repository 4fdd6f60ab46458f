"""A sprite as commands show it."""

from mesabox.clients.base import Sprite
from mesabox.ui.result import Fields


def sprite_fields(sprite: Sprite) -> Fields:
    return Fields(
        [
            ("name", sprite.name),
            ("status", sprite.status),
            ("id", sprite.id),
            ("org", sprite.organization),
            ("url", sprite.url),
            ("created", sprite.created_at),
            ("labels", sprite.labels),
        ]
    )
