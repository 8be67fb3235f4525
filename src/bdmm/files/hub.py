"""Weights from a hub of models: ``hf://OWNER/NAME@REVISION``, from its cache if they are there.

Nothing is fetched unless such a reference is given. It names a public or private model of the hub
that `huggingface_hub` is set to, never an address; what comes is a file like any other.
"""

import logging
import re
import warnings
from pathlib import Path

from bdmm.errors import InputError, Notice
from bdmm.files.outside import MIB, WEIGHTS

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_REFERENCE = re.compile(
    rf"hf:/{{1,2}}(?P<model>{_NAME}/{_NAME})@(?P<revision>{_NAME})"
    r"(?:/(?P<file>(?:\w[\w.-]{0,94}/){0,8}\w[\w.-]{0,94}\.safetensors))?",
    flags=re.ASCII,
)
"""With one slash where a path was made of it."""


def is_hub_reference(weights: str | Path) -> bool:
    """Return whether weights are meant to come from a hub."""
    return str(weights).startswith("hf:/")


def hub_file(reference: str | Path, default: str) -> Path:
    """Return the file that a reference means, fetched if it is not in the hub's cache.

    Args:
        reference: ``hf://OWNER/NAME@REVISION`` or ``hf://OWNER/NAME@REVISION/FILE``; the revision
            is a commit, a tag or a branch. A branch stays what it was when it was fetched first.
        default: the file's name where the reference has none.

    Raises:
        InputError: the reference is malformed, the extra ``hub`` is missing, or there is no such
            model, revision or file, or no network.
    """
    match = _REFERENCE.fullmatch(str(reference))
    if match is None or ".." in str(reference):
        raise InputError(
            f"{str(reference)[:200]} names no weights of a hub: write hf://OWNER/NAME@REVISION, or "
            "hf://OWNER/NAME@REVISION/FILE.safetensors."
        )
    try:
        import huggingface_hub
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError as error:
        raise InputError(
            f"The weights {reference} come from a hub: install the extra hub, as in "
            "pip install -e '.[hub]'."
        ) from error
    model, revision, name = match["model"], match["revision"], match["file"] or default
    try:
        kept = huggingface_hub.hf_hub_download(
            model, name, revision=revision, local_files_only=True
        )
    except LocalEntryNotFoundError:
        kept = _fetch(model, revision, name)
    return Path(kept)


def _fetch(model: str, revision: str, name: str) -> str:
    import huggingface_hub
    from huggingface_hub import errors

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # else a line per attempt
    try:
        about = huggingface_hub.hf_hub_download(model, name, revision=revision, dry_run=True)
        size = about.file_size or 0
        if WEIGHTS.max_bytes is not None and size > WEIGHTS.max_bytes:
            raise InputError(
                f"{name} of {model} has {size // MIB} MiB; at most {WEIGHTS.max_bytes // MIB} MiB "
                "are fetched."
            )
        warnings.warn(
            f"Fetching {name} of {model} at {revision}: {size / MIB:.1f} MiB.", Notice, stacklevel=4
        )
        return huggingface_hub.hf_hub_download(model, name, revision=revision)
    except errors.RevisionNotFoundError as error:
        raise InputError(f"The model {model} has no revision {revision} on the hub.") from error
    except errors.RepositoryNotFoundError as error:
        raise InputError(
            f"There is no model {model} on the hub, or it is private or gated: check the name, or "
            "log in with the hub's own program."
        ) from error
    except errors.RemoteEntryNotFoundError as error:
        raise InputError(f"The model {model} has no file {name} at {revision}.") from error
    except (OSError, errors.EntryNotFoundError, errors.HFValidationError) as error:
        raise InputError(
            f"{name} of {model} at {revision} is not in the hub's cache and cannot be fetched: the "
            "hub cannot be reached."
        ) from error
