"""The same reports in the two letters of SIA, as panels write them in a SIA-DCS block.

Source: SIA DC-07 codes and the mapping of Contact ID to them that receivers use.
"""

from simulators.alarm_panel.contact_id import USER_CODES, WHOLE_PANEL, Code, Qualifier, Report

LETTERS: dict[Code, tuple[str, str]] = {
    Code.FIRE: ("FA", "FH"),
    Code.DURESS: ("HA", "HH"),
    Code.SILENT_HOLD_UP: ("HA", "HH"),
    Code.BURGLARY: ("BA", "BH"),
    Code.ENTRY_EXIT: ("BA", "BH"),
    Code.TAMPER: ("TA", "TR"),
    Code.SENSOR_TAMPER: ("TA", "TR"),
    Code.GAS: ("GA", "GH"),
    Code.WATER: ("WA", "WH"),
    Code.MAINS_LOSS: ("AT", "AR"),
    Code.BATTERY_LOW: ("YT", "YR"),
    Code.RESET: ("YW", "YW"),
    Code.PROGRAM_CHANGED: ("YG", "YG"),
    Code.BATTERY_MISSING: ("YM", "YR"),
    Code.SIREN: ("RC", "RO"),
    Code.EXPANDER: ("ET", "ER"),
    Code.RADIO_JAM: ("XQ", "XH"),
    Code.PATH_1: ("LT", "LR"),
    Code.PATH_2: ("LT", "LR"),
    Code.RADIO: ("YC", "YK"),
    Code.ZONE_TROUBLE: ("BT", "BJ"),
    Code.DETECTOR_BATTERY: ("XT", "XR"),
    Code.OPEN_CLOSE: ("OP", "CL"),
    Code.OPEN_CLOSE_BY_USER: ("OP", "CL"),
    Code.CANCEL: ("OC", "OC"),
    Code.LATE: ("OJ", "CJ"),
    Code.NOT_CLOSED: ("CI", "CI"),
    Code.WRONG_CODE: ("DD", "DD"),
    Code.BYPASS: ("BB", "BU"),
    Code.MANUAL_TEST: ("RX", "RX"),
    Code.PERIODIC_TEST: ("RP", "RP"),
    Code.WALK_TEST: ("TS", "TE"),
    Code.PROGRAM_ENTRY: ("LB", "LB"),
    Code.PROGRAM_EXIT: ("LX", "LX"),
}
"""For each code: the letters when it begins, and when it is over."""

_PATH_NUMBERS = {Code.PATH_1: 1, Code.PATH_2: 2}


def block(report: Report) -> str:
    """Write the data block after ``#account|``: ``Nri1/BA015``, ``Nid5/ri1/OP``."""
    letters = LETTERS[report.code][report.qualifier is Qualifier.RESTORE]
    by_user = report.code in USER_CODES
    user = f"id{report.number}/" if by_user and report.number else ""
    area = f"ri{report.area}/" if report.area != WHOLE_PANEL else ""
    number = _PATH_NUMBERS.get(report.code, 0 if by_user else report.number)
    zone = f"{number:03d}" if number else ""
    return f"N{user}{area}{letters}{zone}"
