"""The page in a real browser over a real server."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect

from contracts.gateway_messages import DeviceEntry
from tests.console.house import ATM, House, atm

CHROMIUM = shutil.which("chromium")
NOC: ViewportSize = {"width": 1920, "height": 1080}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    assert CHROMIUM, "Chromium is missing: run `make test`, which installs it, or install the package chromium"
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        await started.close()


class Visit:
    """A page that remembers what it complained about."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))


async def open_page(browser: Browser, house: House, locale: str = "en-GB", size: ViewportSize = NOC) -> Visit:
    context = await browser.new_context(viewport=size, locale=locale)
    context.set_default_timeout(10_000)
    page = await context.new_page()
    visit = Visit(context, page)
    await page.goto(house.console.url)
    return visit


async def test_devices_appear_and_a_fault_comes_without_a_reload_and_is_acknowledged(
    browser: Browser, house: House
) -> None:
    visit = await open_page(browser, house)
    page = visit.page
    await expect(page.locator("#branches .empty b")).to_have_text("No devices yet")
    await expect(page.locator("#faults .empty b")).to_have_text("No faults")
    await house.branch().announce(atm())
    await expect(page.locator(f"[data-device='{ATM}']")).to_be_visible()
    fault = await house.jammed_atm()

    row = page.locator(f"[data-fault='{fault['id']}']")
    await expect(row.locator(".title")).to_have_text("Notes jammed in the dispenser", timeout=2000)
    symbol = row.locator("svg.symbol")
    assert await symbol.get_attribute("aria-label") == "Major, not acknowledged"
    await expect(symbol.locator(".contour")).to_have_count(1)
    await expect(page.locator("#strip-counts [data-severity=major]")).to_have_text("21")
    await expect(page.locator(f"[data-device='{ATM}']")).to_have_class(re.compile("unacknowledged"))

    await row.locator(".main").click()
    await expect(row.locator(".more")).to_contain_text("staff with custodian clear marked path")
    await row.get_by_role("button", name="Acknowledge").click()
    await expect(row.locator("svg.symbol .contour")).to_have_count(0)
    await expect(row).to_contain_text("operator")
    await expect(page.locator("#faults-note")).to_have_text("1 standing, 0 not acknowledged")
    assert (await house.get(f"faults/{fault['id']}"))["state"] == "acknowledged"
    assert visit.complaints == []
    await visit.context.close()


async def test_what_another_screen_does_is_seen_here(browser: Browser, house: House) -> None:
    visit = await open_page(browser, house)
    fault = await house.jammed_atm()
    row = visit.page.locator(f"[data-fault='{fault['id']}']")
    await expect(row.get_by_role("button", name="Acknowledge")).to_be_visible()
    await house.post(f"faults/{fault['id']}/acknowledge", {"actor": "Zhang Ying"})
    await expect(row.get_by_role("button", name="Acknowledge")).to_have_count(0)
    assert visit.complaints == []
    await visit.context.close()


async def test_a_work_order_shows_its_state_and_history_as_they_change(browser: Browser, house: House) -> None:
    visit = await open_page(browser, house)
    await house.jammed_atm()
    order = (await house.wait_for("work-orders", lambda page: page["items"]))["items"][0]
    row = visit.page.locator(f"[data-order='{order['id']}']")
    await expect(row).to_contain_text(order["number"])
    await row.locator(".main").click()
    await expect(row.locator(".history li")).to_have_count(1)
    body = {"command": "triage", "expected_revision": order["revision"], "command_id": "from-a-test", "actor": "王芳"}
    await house.post(f"work-orders/{order['id']}/commands", body)
    await expect(row.locator(".state")).to_have_text("Not assigned")
    await expect(row.locator(".history li").last).to_contain_text("New → Not assigned · by 王芳")
    assert visit.complaints == []
    await visit.context.close()


async def fill(house: House) -> None:
    """Devices of every kind and look, a fault, an order with a history."""
    branch = house.branch()
    alarm = DeviceEntry(id="alarm-01", kind="alarm_panel", driver="dc09")
    footfall = DeviceEntry(id="footfall-01", kind="footfall_sensor", driver="axis")
    await branch.announce(atm(), alarm, footfall, atm("atm-02"))
    await branch.report(
        "atm-01", link__state="up", cdm__device="online", cdm__transport="inoperative", cdm__unit1__count=12
    )
    await branch.report("atm-01", 7_200_000, idc__device="online")
    await branch.report("alarm-01", link__state="up", zone1__alarm="burglary")
    await branch.report("footfall-01", link__state="down")
    await branch.report("atm-02", link__state="up", vdm__service="active")
    await house.wait_for("faults", lambda page: len(page["items"]) >= 2)
    orders = await house.wait_for("work-orders", lambda page: len(page["items"]) >= 2)
    for order in orders["items"]:
        body = {"command": "triage", "expected_revision": order["revision"], "command_id": f"triage-{order['id']}"}
        await house.post(f"work-orders/{order['id']}/commands", body)


async def open_everything(page: Page) -> None:
    await expect(page.locator("[data-order]")).to_have_count(2)
    for row in await page.locator("[data-fault] .main, [data-order] .main").all():
        await row.click()
    await page.locator(f"[data-device='{ATM}']").click()
    await expect(page.locator("#device table tbody tr")).to_have_count(5)
    await expect(page.locator(".history li").first).to_be_visible()


TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const holder = walker.currentNode.parentElement;
    if (holder.closest('[translate=no], noscript, script') === null && holder.getClientRects().length) {
      found.push(walker.currentNode.textContent);
    }
  }
  for (const place of document.querySelectorAll('[aria-label]')) found.push(place.getAttribute('aria-label'));
  return found;
}"""
"""Every text the page shows or has read aloud, except what is data: ids, names, the standards' own words."""

CUT = """() => [...document.querySelectorAll('header *, .head *, button')].filter(e => e.scrollWidth > e.clientWidth + 1
  && e.clientWidth > 0 && !e.closest('.newest, .row .main, .tile')).map(e => e.outerHTML)"""
"""Texts that do not fit, except those that may be cut."""

IDS = re.compile(r"BR\d{4}(/[\w-]+)?|WO-\d+|UTC")


async def test_the_language_switch_leaves_no_text_untranslated_and_is_remembered(
    browser: Browser, house: House
) -> None:
    await fill(house)
    visit = await open_page(browser, house)
    page = visit.page
    await expect(page.locator("[data-fault]")).to_have_count(2)
    await open_everything(page)
    english = [text.strip() for text in await page.evaluate(TEXTS)]
    assert [text for text in english if re.search(r"[\u4e00-\u9fff]", text)] == []

    await page.locator("#language-zh").click()
    await expect(page.locator("#faults-title")).to_have_text("故障")
    await expect(page.locator("#device table th").first).to_have_text("信号")
    assert visit.complaints == []
    chinese = [IDS.sub("", text) for text in await page.evaluate(TEXTS)]
    assert [text for text in chinese if re.search(r"[A-Za-z]{2,}", text)] == []
    assert await page.locator("html").get_attribute("lang") == "zh"

    await page.reload()
    await expect(page.locator("#faults-title")).to_have_text("故障")
    assert visit.complaints == []
    await visit.context.close()


async def test_the_page_fits_its_window_in_both_languages(browser: Browser, house: House) -> None:
    await fill(house)
    visit = await open_page(browser, house, "zh-CN")
    await expect(visit.page.locator("#orders-title")).to_have_text("工单")
    await expect(visit.page.locator("[data-fault]")).to_have_count(2)
    for language in ("zh", "en"):
        await visit.page.locator(f"#language-{language}").click()
        for width, height in ((1920, 1080), (1366, 768)):
            await visit.page.set_viewport_size({"width": width, "height": height})
            root = "document.documentElement"
            assert await visit.page.evaluate(f"[{root}.scrollWidth, {root}.scrollHeight]") == [width, height]
            assert await visit.page.evaluate(CUT) == []
    await visit.context.close()


async def test_without_a_stream_the_page_shows_what_there_is_and_says_that_it_is_not_live(
    browser: Browser, house: House
) -> None:
    fault = await house.jammed_atm()
    listeners = [await house.http.get(f"{house.console.url}/api/v1/events") for _ in range(2)]
    visit = await open_page(browser, house)  # one listener too many
    await expect(visit.page.locator(f"[data-fault='{fault['id']}']")).to_be_visible()
    await expect(visit.page.locator("#band")).to_be_visible()
    for listener in listeners:
        listener.close()
    await expect(visit.page.locator("#band")).to_be_hidden(timeout=10_000)
    await visit.context.close()


async def test_markup_in_a_name_stays_text(browser: Browser, house: House) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    await house.branch().announce(atm(name=nasty))
    await house.branch().report("atm-01", link__state="up")
    visit = await open_page(browser, house)
    await visit.page.locator(f"[data-device='{ATM}']").click()
    await expect(visit.page.locator("#device .title")).to_contain_text(nasty)
    await expect(visit.page.locator("#device img")).to_have_count(0)
    assert visit.complaints == []
    await visit.context.close()


async def test_nothing_moves_under_the_pointer(browser: Browser, house: House) -> None:
    fault = await house.jammed_atm()
    visit = await open_page(browser, house)
    page = visit.page
    await page.locator(f"[data-fault='{fault['id']}'] .title").hover()
    alarm = house.branch("BR0002")
    await alarm.announce(DeviceEntry(id="alarm-01", kind="alarm_panel", driver="dc09"))
    await alarm.report("alarm-01", link__state="up", zone1__alarm="burglary")
    await expect(page.locator("#faults-newer")).to_have_text("↑ 1 newer")
    await expect(page.locator("[data-fault]")).to_have_count(1)
    await expect(page.locator("#strip-counts [data-severity=critical]")).to_have_text("11")
    await page.mouse.move(900, 20)
    await expect(page.locator("[data-fault]")).to_have_count(2)
    await expect(page.locator("[data-fault] .title").first).to_have_text("Burglary alarm")
    await visit.context.close()


async def test_a_lost_stream_is_said_and_what_was_missed_is_shown_after_it(browser: Browser, house: House) -> None:
    visit = await open_page(browser, house)
    page = visit.page
    await expect(page.locator("#faults .empty")).to_be_visible()
    await visit.context.set_offline(True)
    await expect(page.locator("#band")).to_be_visible(timeout=20_000)
    await expect(page.locator("#band")).to_contain_text("No live data for")
    await expect(page.locator("#devices-notice")).to_contain_text("Could not refresh.")
    fault = await house.jammed_atm()
    await visit.context.set_offline(False)
    await expect(page.locator(f"[data-fault='{fault['id']}']")).to_be_visible(timeout=15_000)
    await expect(page.locator("#band")).to_be_hidden()
    await visit.context.close()


async def test_a_refused_acknowledgement_says_why_and_can_be_tried_again(browser: Browser, house: House) -> None:
    fault = await house.jammed_atm()
    visit = await open_page(browser, house)
    row = visit.page.locator(f"[data-fault='{fault['id']}']")

    async def answer_503(route: object) -> None:
        await route.fulfill(status=503, json={"code": "dependency_unavailable"})  # type: ignore[attr-defined]

    await visit.page.route("**/acknowledge", answer_503)
    await row.get_by_role("button", name="Acknowledge").click()
    await expect(row.locator(".failed")).to_have_text("Not done: the database does not answer")
    await expect(row.locator("svg.symbol .contour")).to_have_count(1)
    await visit.page.unroute("**/acknowledge")
    await row.get_by_role("button", name="Acknowledge").click()
    await expect(row.locator(".failed")).to_have_count(0)
    async with asyncio.timeout(5):
        await expect(row.locator("svg.symbol .contour")).to_have_count(0)
    await visit.context.close()
