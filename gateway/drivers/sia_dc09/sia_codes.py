"""SIA codes as the Contact ID events they stand for, so that both formats share one table of effects.

A restore of SIA ends what its letter can have begun: ``BR`` the burglary alarm, the confirmed one and the trouble of a zone. A
code that stands for nothing here changes no signal; its event is reported all the same.

Source: ANSI/SIA DC-03, which also says of which codes the number is a user's or an area's.
"""

from typing import Final

from gateway.drivers.sia_dc09.contact_id import MOST_AREA, MOST_NUMBER, ContactEvent, Qualifier
from gateway.drivers.sia_dc09.sia_block import SiaCode

_FAMILIES: Final = {
    "B": "130", "F": "110", "G": "151", "H": "122", "K": "158", "M": "100", "P": "120", "Q": "101", "S": "113", "U": "150",
    "W": "154", "Z": "159",
}  # fmt: skip
"""First letter of the codes of a kind of zone → its alarm: ``BA`` alarm, ``BH`` ended, ``BT`` trouble, ``BJ`` ended, ``BR``
all in order, ``BB`` bypassed, ``BU`` no more."""

_SINGLE: Final = {
    # burglary that is confirmed, exits, tamper and supervision of detectors
    "BV": "1139", "BM": "1139", "BH": "3130 3139", "BR": "3130 3139 3380 3381", "BZ": "1381", "BC": "1406",
    "EA": "1374", "EE": "1457",
    "TA": "1383", "TR": "3383", "TB": "1570", "TU": "3570",
    "FT": "1373", "FJ": "3373", "FR": "3110 3373 3381", "FZ": "1381", "FY": "1381", "UY": "1381", "UR": "3150 3380 3381",
    "XT": "1384", "XR": "3384", "XQ": "1344", "XH": "3344",
    # the panel
    "AT": "1301", "AR": "3301",
    "YT": "1302", "YM": "1311", "YR": "3302 3309 3311", "YP": "1337", "YQ": "3337 3312", "YI": "1312", "YJ": "3312",
    "YX": "1300", "YZ": "3300", "YF": "1304", "IA": "1300", "IR": "3300",
    "ET": "1143", "ER": "3143 3333", "EM": "1333", "EN": "3333", "ES": "1341", "EJ": "3341",
    "RC": "1320", "RO": "3320", "YA": "1321", "YH": "3321",
    "YG": "1306", "LB": "1627", "LX": "1628", "LS": "1628", "LU": "1628",
    "RX": "1601", "RP": "1602", "FX": "1604", "FI": "1604", "TX": "1608", "RY": "1608", "TS": "1607", "TE": "3607",
    "DD": "1421", "JA": "1461",
    # paths to the receiver
    "YC": "1350", "YS": "1350", "YK": "3350",
    # opening and closing
    "OP": "1401", "CL": "3401", "OR": "1401", "CF": "3401", "CR": "3401", "OB": "1402", "CB": "3402",
    "OA": "1403", "CA": "3403", "CP": "3403", "OQ": "1407", "CQ": "3407", "OS": "1409", "CS": "3409",
    "OG": "1441", "CG": "3441", "NL": "3441", "OC": "1406",
    "OK": "1451", "CK": "3451", "OJ": "1452", "CJ": "3452",
    "OI": "1453", "CT": "1453", "CI": "1454", "CD": "1454", "OT": "1454",
}  # fmt: skip

_OF_USERS: Final = "BC CF CJ CK CL CP CQ CR CS CB EE JA OC OJ OK OP OQ OR OS OB OT RX"
"""The number is a user's."""

_OF_AREAS: Final = "CA CD CG CI CT NL OA OG OI"
"""The number is an area's."""

_WITHOUT_SIGNAL: Final = (
    "AA AB AN AS BD BE BG BS BX CE CM CO CW CX CZ DA DB DC DE DF DG DH DI DJ DK DL DM DN DO DP DQ DR DS DT DU DV DW DX DY "
    "DZ EX EZ FC FG FK FL FM FS FV FW GS GX HS JD JH JK JL JO JP JR JS JT JV JX JY JZ KS LD LE LF MS NA NC ND NF NM NR NS "
    "NT OH OL OU OV OZ PS QS RA RB RD RN RR RS RT RU SS TC TP TT TW TZ UG US UU UX UZ WS XA XE XF XI XJ XL XM XS XW XX YB "
    "YD YE YL YN YO YU YW YY ZS"
)
"""Codes that DC-03 knows and that stand for no signal here."""

_USERS: Final = frozenset(_OF_USERS.split())
_AREAS: Final = frozenset(_OF_AREAS.split())
_EVENT_ONLY: Final = frozenset(_WITHOUT_SIGNAL.split())


def _table() -> dict[str, str]:
    table: dict[str, str] = {}
    for letter, alarm in _FAMILIES.items():
        table |= {
            f"{letter}A": f"1{alarm}", f"{letter}H": f"3{alarm}", f"{letter}R": f"3{alarm} 3380",
            f"{letter}T": "1380", f"{letter}J": "3380", f"{letter}B": "1570", f"{letter}U": "3570",
        }  # fmt: skip
    return table | _SINGLE


TABLE: Final = _table()
"""SIA code → Contact ID events it stands for, qualifier and code."""


def is_known(code: str) -> bool:
    """Whether DC-03 has the code."""
    return code in TABLE or code in _EVENT_ONLY or code in {"LT", "LR"}


def events_of(said: SiaCode) -> tuple[ContactEvent, ...]:
    """What a code stands for; nothing where it changes no signal, or names an area or a number beyond Contact ID's."""
    area, number, user = said.area, said.number, said.user or 0
    if said.code in _AREAS:
        area, number = said.area or (number or 0), user
    elif said.code in _USERS and said.user is not None:
        number = user
    if number is None or number > MOST_NUMBER or area > MOST_AREA:
        return ()
    meanings = TABLE.get(said.code, "").split()
    if said.code in {"LT", "LR"}:
        meanings = [f"{1 if said.code == 'LT' else 3}{352 if number == 2 else 351}"]
        number = 0
    wording = f"{said.code} {area:02d} {number:03d}"
    events = [_event(meaning, area, number, wording) for meaning in meanings]
    if said.code == "HA" and (said.user is not None or not number):
        # Somebody under threat: named by the user, or by no zone.
        threat = _event("1121", area, min(user, MOST_NUMBER), wording)
        events = [*(events if number else ()), threat]
    return tuple(events)


def _event(meaning: str, area: int, number: int, wording: str) -> ContactEvent:
    return ContactEvent(Qualifier(int(meaning[0])), meaning[1:], area, number, wording)
