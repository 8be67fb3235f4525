"""The packages that only training needs."""

from importlib.util import find_spec

from bdmm.errors import InputError


def require() -> None:
    """Check that they are installed.

    Raises:
        InputError: one is missing.
    """
    for package in ("lightning_fabric", "tensorboard"):
        if find_spec(package) is None:
            raise InputError(
                f"Training needs the package {package}: install it by pip install 'bdmm[train]'."
            )
