"""The command `meterline`. One module per command group; each prints its answer on stdout and its progress on stderr."""

from __future__ import annotations

import sys

import click

from meterline.cli.lazy_group import LazyGroup
from meterline.cli.output import Output, report_error
from schemas.errors import ExitCode, MeterlineError


class _Group(LazyGroup):
    modules = {
        name: f"meterline.cli.{name}" for name in ("run", "status", "reconcile", "period", "bill", "suspense", "tariff", "demo")
    }


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="meterline")
def cli() -> None:
    """Meterline turns meter readings and call records into bills: every record accounted for, every line explained.

    \b
    Operators   run, status, suspense, reconcile
    Billing     period plan | apply | close, bill list | show | explain
    Tariffs     tariff check | show | diff | price | import | schema
    Finance     the folder HOME/finance: finance.duckdb and plain Parquet

    Every command takes --home (the folder with meterline.yaml; default: here) and --json.
    Exit codes: 0 done, 1 failed, 2 wrong usage or files, 3 blocked, 4 stale plan, 5 approval missing, 130 interrupted.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run a command; every error ends in words and in one of the documented exit codes."""
    try:
        code = cli.main(arguments, prog_name="meterline", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(ExitCode.INTERRUPTED)
    except KeyboardInterrupt:
        click.echo("interrupted; the same command resumes", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.WRONG_USAGE)
    except MeterlineError as error:
        report_error(error)
        sys.exit(error.exit_code)
    except OSError as error:
        report_error(os_error(error))
        sys.exit(ExitCode.FAILED)
    sys.exit(code if isinstance(code, int) else ExitCode.DONE)


def os_error(error: OSError) -> MeterlineError:
    """A full disk and its kin in words: nothing is lost, because nothing unfinished was committed."""
    from schemas.errors import Fault

    return MeterlineError(
        Fault(
            str(error.filename or "operating system"),
            error.strerror or str(error),
            next_step="nothing was lost: mend this and run the same command again",
            code="os_error",
        )
    )


__all__ = ["Output", "cli", "main"]
