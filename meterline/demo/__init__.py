"""A small operator to try everything with: customers, tariffs and a month of files whose row account is known beforehand."""

from meterline.demo.expectations import FileAccount, OperatorSummary
from meterline.demo.operator import build_operator

__all__ = ["FileAccount", "OperatorSummary", "build_operator"]
