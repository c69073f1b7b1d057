"""What copier raises, in our words."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import jinja2
import plumbum
import yaml
from copier.errors import CopierError, CopierWarning

from groundplan.errors import AnswersError, TemplateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def translated() -> Iterator[None]:
    """Copier's warnings are for authors of templates; its errors have four families."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CopierWarning)
        try:
            yield
        except jinja2.TemplateError as error:
            place = f"{getattr(error, 'name', None) or ''}:{getattr(error, 'lineno', '')}"
            raise TemplateError(
                "template.render", f"{error}", where=place.strip(":"), fix=_REPORT
            ) from error
        except (CopierError, yaml.YAMLError) as error:
            raise TemplateError("template.invalid", f"{error}", fix=_REPORT) from error
        except plumbum.ProcessExecutionError as error:
            said = f"{error.stderr}".strip() or f"git ended with {error.retcode}"
            raise TemplateError(
                "template.git", said.splitlines()[-1], fix="check that git works here"
            ) from error
        except ValueError as error:
            # Only a bare ValueError is about an answer; its subclasses are about the template.
            if type(error) is not ValueError:
                raise TemplateError("template.invalid", f"{error}", fix=_REPORT) from error
            raise AnswersError((_refused(f"{error}"),)) from error


_REPORT = "this is a fault of the template; please report it"

_ABOUT = re.compile(r"(?:question|Question|choice for) [\"']([^\"']+)[\"'](?:: )?")


def _refused(message: str) -> UsageError:
    """What a question's own validator said, in our words."""
    about = _ABOUT.search(message)
    where = about[1] if about else ""
    what = message[about.end() :].strip() if about else message
    return UsageError("answers.refused", what or message, where=where, fix="change this answer")
