// Every word the page shows, in both languages. A text with a value in it is one sentence with a {name}, never joined parts;
// {name:one|more} chooses by the number.

const EN = {
  "strip.label": "Faults not acknowledged, by severity",
  "strip.unacknowledged": "not acknowledged",
  "language.label": "Language",
  "devices.title": "Devices by branch",
  "devices.note": "{devices} {devices:device|devices}, {branches} {branches:branch|branches}",
  "devices.empty": "No devices yet",
  "devices.empty_why": "A device appears when its branch's gateway connects and announces it.",
  "faults.title": "Faults",
  "faults.note": "{standing} standing, {unacknowledged} not acknowledged",
  "faults.empty": "No faults",
  "faults.empty_why": "Every fault is over and acknowledged.",
  "orders.title": "Work orders",
  "orders.note": "{open} open, {ended} ended lately",
  "orders.empty": "No work orders",
  "orders.empty_why": "A fault whose rule asks for work opens one.",
  "list.newer": "↑ {count} newer",
  "legend.normal": "normal", "legend.no_data": "no data", "legend.maintenance": "maintenance",
  "live.on": "Live · {age}", "live.off": "No live data",
  "band.lost": "No live data for {age}. Reconnecting.",
  "notice.failed": "Could not refresh. Showing data of {time}, {age} old.",
  "notice.nothing": "Could not load. The server does not answer or refuses.",
  "notice.again": "Try again",
  "fault.acknowledge": "Acknowledge", "fault.reset": "Reset", "fault.sending": "Sending…",
  "fault.refused": "Not done: {reason}",
  "fault.cause": "Likely cause", "fault.consequence": "Consequence", "fault.action": "What to do", "fault.respond": "Act within",
  "fault.rule": "Rule", "fault.observed": "Since", "fault.cleared": "Cleared", "fault.acknowledged": "Acknowledged", "fault.by": "{time} by {actor}",
  "order.device": "Device", "order.assignee": "Technician", "order.nobody": "nobody yet", "order.faults": "Faults joined", "order.paused_for": "Waits for", "order.history": "History",
  "device.close": "Close", "device.signals": "Signals", "device.functions": "Customer functions", "device.no_readings": "It has not reported anything yet.",
  "device.identity": "{kind}, {model}, serial {serial}", "device.identity_plain": "{kind}", "device.identity_model": "{kind}, {model}",
  "device.no_value": "—", "device.stale": "old", "device.signal": "Signal", "device.value": "Value", "device.age": "Age",
  "tile.name": "{device}, {kind}: {health}", "tile.faults": "{device}, {kind}: {health}, {severity}, {acknowledged}",
  "symbol.unacknowledged": "{severity}, not acknowledged", "symbol.acknowledged": "{severity}, acknowledged",
  "symbol.returned_unacknowledged": "{severity}, cleared, not acknowledged", "symbol.latched_unacknowledged": "{severity}, latched, not acknowledged",
  "symbol.latched_acknowledged": "{severity}, latched, needs reset", "symbol.normal": "{severity}", "symbol.count": "{severity}: {count}",
  "age.s": "{s} s", "age.min_s": "{min} min {s} s", "age.min": "{min} min", "age.h": "{h} h", "age.d": "{d} d",
  "duration.now": "at once", "duration.s": "{n} s", "duration.min": "{n} min", "duration.h": "{n} h", "duration.d": "{n} d",
  "date": "{weekday} {day} {month} {year} UTC{offset}", "date.short": "{day} {month} {time}",
  "severity.critical": "Critical", "severity.major": "Major", "severity.minor": "Minor", "severity.info": "Info",
  "fault_state.normal": "Over", "fault_state.unacknowledged": "Not acknowledged", "fault_state.acknowledged": "Acknowledged",
  "fault_state.returned_unacknowledged": "Cleared, not ack.", "fault_state.latched_unacknowledged": "Latched, not ack.", "fault_state.latched_acknowledged": "Latched, needs reset",
  "order_state.new": "New", "order_state.triaged": "Not assigned", "order_state.offered": "Offered", "order_state.accepted": "Accepted", "order_state.travelling": "Travelling",
  "order_state.on_site": "On site", "order_state.paused": "Paused", "order_state.repaired": "Repaired", "order_state.verifying": "Verifying", "order_state.closed": "Closed",
  "order_state.closed_incomplete": "Closed, incomplete", "order_state.cancelled": "Cancelled", "order_state.duplicate": "Duplicate",
  "history.opened": "Opened", "history.joined": "Another fault joined", "history.moved": "{previous} → {state}", "history.by": "by {actor}", "history.by_system": "by the system", "history.assigned": "to {assignee}",
  "pause.parts": "parts", "pause.access": "access", "pause.vendor": "vendor", "pause.customer": "customer",
  "condition.ok": "Normal", "condition.degraded": "Degraded", "condition.failed": "Failed", "condition.maintenance": "Maintenance", "condition.unknown": "No data",
  "reason.all_well": "Every signal is normal.", "reason.signal": "A signal says so: {path}", "reason.fault": "A standing fault says so.", "reason.never_reported": "It has not reported anything yet.",
  "reason.gateway_offline": "The branch's gateway is offline.", "reason.unreachable": "The gateway cannot reach it.", "reason.stale": "Nothing new for too long.",
  "function.available": "{name}: available", "function.reduced": "{name}: reduced", "function.lost": "{name}: stopped", "function.unknown": "{name}: not known",
  "problem.network": "the server does not answer", "problem.other": "the server answered {code}",
  "problem.not_found": "it does not exist any more", "problem.conflict": "its state does not allow it any more", "problem.fault_transition_not_allowed": "its state does not allow it any more",
  "problem.dependency_unavailable": "the database does not answer", "problem.internal": "the server failed",
};

const ZH = {
  "strip.label": "未确认故障（按级别）",
  "strip.unacknowledged": "未确认",
  "language.label": "语言",
  "devices.title": "网点设备",
  "devices.note": "{devices} 台设备，{branches} 个网点",
  "devices.empty": "暂无设备",
  "devices.empty_why": "网点网关连接并上报清单后，设备会显示在这里。",
  "faults.title": "故障",
  "faults.note": "{standing} 条未结束，{unacknowledged} 条未确认",
  "faults.empty": "没有故障",
  "faults.empty_why": "所有故障均已恢复并确认。",
  "orders.title": "工单",
  "orders.note": "{open} 张未完成，{ended} 张近期结束",
  "orders.empty": "没有工单",
  "orders.empty_why": "需要维修的故障会自动建工单。",
  "list.newer": "↑ {count} 条更新",
  "legend.normal": "正常", "legend.no_data": "无数据", "legend.maintenance": "维护中",
  "live.on": "实时 · {age}", "live.off": "无实时数据",
  "band.lost": "{age}无实时数据，正在重连。",
  "notice.failed": "刷新失败。显示的是 {time} 的数据（{age}前）。",
  "notice.nothing": "加载失败：服务器无应答或拒绝。",
  "notice.again": "重试",
  "fault.acknowledge": "确认", "fault.reset": "复位", "fault.sending": "发送中…",
  "fault.refused": "未完成：{reason}",
  "fault.cause": "可能原因", "fault.consequence": "影响", "fault.action": "建议处置", "fault.respond": "响应时限",
  "fault.rule": "规则", "fault.observed": "开始时间", "fault.cleared": "恢复时间", "fault.acknowledged": "确认", "fault.by": "{time}，{actor}",
  "order.device": "设备", "order.assignee": "工程师", "order.nobody": "待派", "order.faults": "关联故障数", "order.paused_for": "等待", "order.history": "经过",
  "device.close": "关闭", "device.signals": "信号", "device.functions": "客户功能", "device.no_readings": "尚未上报任何数据。",
  "device.identity": "{kind}，{model}，序列号 {serial}", "device.identity_plain": "{kind}", "device.identity_model": "{kind}，{model}",
  "device.no_value": "—", "device.stale": "过期", "device.signal": "信号", "device.value": "数值", "device.age": "时长",
  "tile.name": "{device}，{kind}：{health}", "tile.faults": "{device}，{kind}：{health}，{severity}，{acknowledged}",
  "symbol.unacknowledged": "{severity}，未确认", "symbol.acknowledged": "{severity}，已确认",
  "symbol.returned_unacknowledged": "{severity}，已恢复未确认", "symbol.latched_unacknowledged": "{severity}，锁定未确认",
  "symbol.latched_acknowledged": "{severity}，锁定，需复位", "symbol.normal": "{severity}", "symbol.count": "{severity}：{count}",
  "age.s": "{s} 秒", "age.min_s": "{min} 分 {s} 秒", "age.min": "{min} 分钟", "age.h": "{h} 小时", "age.d": "{d} 天",
  "duration.now": "立即", "duration.s": "{n} 秒", "duration.min": "{n} 分钟", "duration.h": "{n} 小时", "duration.d": "{n} 天",
  "date": "{year}年{month}{day}日 {weekday} UTC{offset}", "date.short": "{month}{day}日 {time}",
  "severity.critical": "紧急", "severity.major": "重要", "severity.minor": "次要", "severity.info": "提示",
  "fault_state.normal": "已结束", "fault_state.unacknowledged": "未确认", "fault_state.acknowledged": "已确认",
  "fault_state.returned_unacknowledged": "已恢复未确认", "fault_state.latched_unacknowledged": "锁定未确认", "fault_state.latched_acknowledged": "锁定，需复位",
  "order_state.new": "新建", "order_state.triaged": "待派", "order_state.offered": "已派待接", "order_state.accepted": "已接单", "order_state.travelling": "途中",
  "order_state.on_site": "已到场", "order_state.paused": "暂停", "order_state.repaired": "已修复", "order_state.verifying": "验证中", "order_state.closed": "已关闭",
  "order_state.closed_incomplete": "未完成关闭", "order_state.cancelled": "已取消", "order_state.duplicate": "重复",
  "history.opened": "建单", "history.joined": "又一故障并入", "history.moved": "{previous} → {state}", "history.by": "操作人 {actor}", "history.by_system": "系统", "history.assigned": "派给 {assignee}",
  "pause.parts": "备件", "pause.access": "进场", "pause.vendor": "厂商", "pause.customer": "客户",
  "condition.ok": "正常", "condition.degraded": "降级", "condition.failed": "故障", "condition.maintenance": "维护中", "condition.unknown": "无数据",
  "reason.all_well": "所有信号正常。", "reason.signal": "依据信号：{path}", "reason.fault": "依据未结束的故障。", "reason.never_reported": "尚未上报任何数据。",
  "reason.gateway_offline": "网点网关离线。", "reason.unreachable": "网关无法连接该设备。", "reason.stale": "长时间没有新数据。",
  "function.available": "{name}：可用", "function.reduced": "{name}：受限", "function.lost": "{name}：停止", "function.unknown": "{name}：未知",
  "problem.network": "服务器无应答", "problem.other": "服务器返回 {code}",
  "problem.not_found": "对象已不存在", "problem.conflict": "当前状态不允许此操作", "problem.fault_transition_not_allowed": "当前状态不允许此操作",
  "problem.dependency_unavailable": "数据库无应答", "problem.internal": "服务器出错",
};

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const WEEKDAYS_ZH = ["周日", "周一", "周二", "周三", "周四", "周五", "周六"];
const STORED = "branchwatch.language";

let language = stored() ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");

function stored() {
  try {
    const value = localStorage.getItem(STORED);
    return value === "en" || value === "zh" ? value : null;
  } catch {
    return null; // storage switched off: the browser's language decides
  }
}

export function currentLanguage() {
  return language;
}

export function setLanguage(next) {
  language = next;
  try {
    localStorage.setItem(STORED, next);
  } catch {
    // the choice holds for this visit
  }
}

/** The text of a key with its {names} still in it. */
export function template(key) {
  const text = (language === "zh" ? ZH : EN)[key];
  if (text === undefined) throw new Error(`no word for ${key}`);
  return text;
}

/** The text of a key with its values filled in. */
export function word(key, values = {}) {
  return template(key).replace(/\{(\w+)(?::([^|}]*)\|([^}]*))?\}/g, (_, name, one, more) => {
    if (more === undefined) return String(values[name]);
    return Number(values[name]) === 1 ? one : more;
  });
}

export function hasWord(key) {
  return key in EN;
}

/** A text the server gives in both languages as name_en and name_zh. */
export function given(item, name) {
  return item[`${name}_${language}`] || item[`${name}_en`] || "";
}

const two = (number) => String(number).padStart(2, "0");

/** 14:32:08; with the day where it is not today's. */
export function clockTime(ms) {
  const at = new Date(ms);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (at.toDateString() === new Date().toDateString()) return time;
  return word("date.short", { day: at.getDate(), month: monthName(at), time });
}

function monthName(at) {
  return language === "zh" ? `${at.getMonth() + 1}月` : MONTHS[at.getMonth()];
}

/** Today, with the offset of the times shown. */
export function today() {
  const at = new Date();
  const minutes = -at.getTimezoneOffset();
  const offset = minutes === 0 ? "" : (minutes > 0 ? "+" : "−") + Math.abs(minutes) / 60;
  const weekday = (language === "zh" ? WEEKDAYS_ZH : WEEKDAYS)[at.getDay()];
  return word("date", { weekday, day: at.getDate(), month: monthName(at), year: at.getFullYear(), offset });
}

/** Age of something in milliseconds: to the second under ten minutes. */
export function age(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return word("age.s", { s });
  if (s < 600) return word("age.min_s", { min: Math.floor(s / 60), s: s % 60 });
  if (s < 3600) return word("age.min", { min: Math.floor(s / 60) });
  if (s < 172800) return word("age.h", { h: Math.floor(s / 3600) });
  return word("age.d", { d: Math.floor(s / 86400) });
}

/** A given length of time in seconds, in the largest unit that keeps it whole. */
export function duration(s) {
  if (s === 0) return word("duration.now");
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (s % length === 0) return word(`duration.${unit}`, { n: s / length });
  }
  return word("duration.s", { n: s });
}

export function fullStamp(ms) {
  const at = new Date(ms);
  const minutes = -at.getTimezoneOffset();
  const offset = minutes === 0 ? "" : (minutes > 0 ? "+" : "−") + Math.abs(minutes) / 60;
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} UTC${offset}`;
}
