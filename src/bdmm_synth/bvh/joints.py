"""Which joint of a recorded skeleton is which bone: names of CMU, Mixamo, Rokoko and others."""

import re
from collections.abc import Sequence

from bdmm.errors import InputError

_PARTS = {
    "hip": ("upleg", "upperleg", "thigh", "hip", "femur"),
    "knee": ("leg", "knee", "shin", "lowerleg", "lowleg", "calf", "tibia"),
    "ankle": ("foot", "ankle"),
    "foot": ("toebase", "toe", "toes", "ball"),
    "collar": ("collar", "clavicle", "collarbone", "shoulder"),
    "shoulder": ("arm", "upperarm", "uparm", "shldr", "humerus", "shoulder"),
    "elbow": ("forearm", "elbow", "lowerarm", "lowarm"),
    "wrist": ("hand", "wrist"),
}
"""Our bones and their names in other skeletons, the surest first."""
_NEEDED = ("hip", "knee", "ankle", "shoulder", "elbow")
_NECK = ("neck", "neck1", "lowerneck", "upperneck", "neck01")
_SIDES = {"left": "left", "right": "right", "l": "left", "r": "right"}


def find_bones(file: str, names: Sequence[str], parents: Sequence[int]) -> dict[str, int]:
    """Find the joints of a skeleton that move our bones.

    Args:
        file: name of the file, for the error.
        names: of all joints; "" for end sites.
        parents: index of each joint's parent, -1 for the root.

    Returns:
        Joints by bone: "pelvis", "spine1" to "spine3", "neck", "head" and for both sides
        "left_hip" and so on. Spine, neck, head, collars, wrists and feet may be missing.

    Raises:
        InputError: legs or arms are not found.
    """
    sided = {(side, base): index for index in reversed(range(len(names)))
             for side, base in _readings(names[index])}  # fmt: skip
    bones = {"pelvis": 0}
    for side in ("left", "right"):
        bones |= _limb_bones(side, sided)
    missing = [
        f"{side} {part}" for part in _NEEDED for side in ("left", "right")
        if f"{side}_{part}" not in bones
    ]  # fmt: skip
    if missing:
        known = ", ".join(name for name in names if name)[:200]
        raise InputError(
            f"{file} has no joint that could be the {missing[0]} (its joints are {known}); "
            "rename its joints as in a Mixamo or CMU skeleton."
        )
    return bones | _trunk_bones(names, parents, bones)


def _limb_bones(side: str, sided: dict[tuple[str, str], int]) -> dict[str, int]:
    found = {}
    # "LeftShoulder" is the collar bone where an upper arm exists too, else the upper arm.
    upper = any((side, base) in sided for base in _PARTS["shoulder"][:-1])
    for part, bases in _PARTS.items():
        if part == "collar" and not upper:
            bases = bases[:-1]
        if part == "shoulder" and upper:
            bases = bases[:-1]
        for base in bases:
            if (side, base) in sided:
                found[f"{side}_{part}"] = sided[side, base]
                break
    return found


def _trunk_bones(
    names: Sequence[str], parents: Sequence[int], bones: dict[str, int]
) -> dict[str, int]:
    """Share the joints between pelvis and arms among our three spine bones; find neck and head."""
    plain = [_plain(name) for name in names]
    found = {}
    for bone, words in (("neck", _NECK), ("head", ("head",))):
        own = [index for index, name in enumerate(plain) if name in words]
        if own:
            found[bone] = own[-1] if bone == "neck" else own[0]
    first = bones.get("left_collar", bones["left_shoulder"])
    chain = [index for index in _up(first, parents)[1:] if index != bones["pelvis"]][::-1]
    arms = set(_up(bones["right_shoulder"], parents))
    chain = [index for index in chain if index in arms]
    if chain:
        last = len(chain) - 1
        found |= {f"spine{k + 1}": chain[round(k * last / 2)] for k in range(3)}
    return found


def _up(joint: int, parents: Sequence[int]) -> list[int]:
    way = [joint]
    while parents[way[-1]] >= 0:
        way.append(parents[way[-1]])
    return way


def _plain(name: str) -> str:
    name = re.split(r"[:|]", name)[-1].lower()
    name = re.sub(r"^(mixamorig\d*|bip\d+|def|character\d*)[\s_.-]*", "", name)
    return re.sub(r"[^a-z0-9]", "", name)


def _readings(name: str) -> list[tuple[str, str]]:
    """Return how a name may be read: (side, part without side)."""
    tail = re.split(r"[:|]", name)[-1]
    tail = re.sub(r"^(mixamorig\d*|bip\d+|def|character\d*)[\s_.-]*", "", tail, flags=re.I)
    ends = re.match(r"^(.*?)[\s_.-](l|r|left|right)$", tail, flags=re.I)
    if ends:
        return [(_SIDES[ends[2].lower()], _plain(ends[1]))]
    starts = re.match(r"^(left|right)[\s_.-]*(.+)$", tail, flags=re.I)
    if starts:
        return [(_SIDES[starts[1].lower()], _plain(starts[2]))]
    starts = re.match(r"^(l|r)[\s_.-]*(.+)$", tail, flags=re.I)
    return [(_SIDES[starts[1].lower()], _plain(starts[2]))] if starts else []
