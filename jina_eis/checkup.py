"""The documented path of the report of `jina_eis.doctor`."""

from .adapters import Check, Report, Status, adoctor, doctor

__all__ = ["Check", "Report", "Status", "adoctor", "doctor"]
