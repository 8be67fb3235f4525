"""A person as a body in clothes and a texture."""

from bdmm.appearance.person import view_person
from bdmm.body.model import SkinnedBody
from bdmm.media.image import Picture
from bdmm.media.pixels import to_pictures
from bdmm.records import Person


def body_of(person: Person) -> tuple[SkinnedBody, Picture]:
    """Return a person's body, moved to the outline of their first photo, and their atlas.

    Args:
        person: on the CPU.
    """
    views = view_person(person)
    (texture,) = to_pictures(views.atlas.colours[None])
    return views.views[0].geometry.body, texture
