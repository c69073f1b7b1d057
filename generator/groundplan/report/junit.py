"""A report as JUnit XML: a suite for each check, a case for each outcome."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from groundplan.findings import Errored, Failed, Outcome, Passed, Report, Result, Skipped

ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot carry, not even escaped."""


def render(report: Report) -> str:
    """Write the report as one `testsuites` element."""
    root = ET.Element("testsuites", name="groundplan check")
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for result in report.results:
        suite = _suite(result)
        root.append(suite)
        for name in totals:
            totals[name] += int(suite.attrib[name])
    root.attrib.update({name: str(total) for name, total in totals.items()})
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(result: Result) -> ET.Element:
    """Write one check."""
    cases = [_case(result, outcome) for outcome in result.outcomes if outcome != Passed(0)]
    suite = ET.Element("testsuite", name=f"{result.check_id} {result.title}")
    suite.extend(cases)
    suite.attrib["tests"] = str(len(cases))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.attrib[attribute] = str(sum(case.find(tag) is not None for case in cases))
    return suite


def _case(result: Result, outcome: Outcome) -> ET.Element:
    """Write one outcome."""
    case = ET.Element("testcase", classname=result.check_id)
    match outcome:
        case Passed(count):
            case.attrib["name"] = f"{count} without findings"
        case Failed(finding):
            case.attrib["name"] = _legal(f"{finding.location}: {finding.message}")
            case.attrib["file"] = _legal(finding.location.path)
            case.attrib["line"] = str(finding.location.line)
            failure = ET.SubElement(
                case, "failure", type=str(finding.severity), message=_legal(finding.message)
            )
            failure.text = _legal(
                f"{finding.location} {finding.location.pointer}\n{finding.remediation}"
            )
        case Skipped(subject, reason, count):
            case.attrib["name"] = _legal(f"{subject} ({count})")
            ET.SubElement(case, "skipped", message=_legal(reason))
        case Errored(subject, reason):
            case.attrib["name"] = _legal(subject)
            ET.SubElement(case, "error", message=_legal(reason))
    return case


def _legal(text: str) -> str:
    """Replace what XML cannot carry."""
    return ILLEGAL.sub("\ufffd", text)
