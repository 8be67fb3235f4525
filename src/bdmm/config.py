"""Settings as frozen dataclasses, presets as rows of data; each setting is declared once, here."""
