"""Exports: the code that trained, in files that need no Layerloom."""

from __future__ import annotations

from builder.export.folder import ExportError, export, export_zip

__all__ = ["ExportError", "export", "export_zip"]
