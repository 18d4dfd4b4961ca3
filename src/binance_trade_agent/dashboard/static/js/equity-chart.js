// The chart of the portfolio page: equity above, drawdown below, marks where epochs and runs begin.
import { AreaSeries, ColorType, createChart, createSeriesMarkers, CrosshairMode, LineSeries, LineStyle, LineType } from "../vendor/lightweight-charts.js";

const ROOM_RIGHT = 4;
const HOLD_AT_MOST = 5; // times the range of equity: a line that goes further would press the curve flat, and waits to be asked for

// Draws what `/portfolio/chart` answers. `legend` takes the values under the pointer.
export class EquityChart {
  constructor(element, legend) {
    this.element = element;
    this.legend = legend;
    this.offset = -new Date().getTimezoneOffset() * 60;
    this.chart = createChart(element, this.options());
    this.chart.subscribeCrosshairMove((event) => this.tell(event.time));
    element.addEventListener("keydown", (event) => this.key(event));
    this.series = [];
    this.showsHold = undefined;
    const repaint = () => { this.chart.applyOptions(this.options()); this.draw(this.data); };
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", repaint);
  }

  // Everything anew. Each epoch has lines of its own, so that nothing is drawn between two of them.
  draw(data) {
    const isFirst = !this.data;
    this.clear();
    this.data = data;
    this.showsHold ??= data.epochs.every(({ equity, hold }) => range(hold.filter((value) => value !== null)) <= HOLD_AT_MOST * range(equity));
    this.series = data.epochs.map((epoch) => this.pair(epoch, data));
    this.chart.panes()[0].setStretchFactor(3);
    this.chart.panes()[1]?.setStretchFactor(1);
    this.fill();
    if (isFirst) this.chart.timeScale().fitContent();
    this.tell();
  }

  // The newest points. False when the whole chart has to be asked for again.
  update(tail) {
    const known = this.data, newest = known?.epochs.at(-1), news = tail.epochs.at(-1);
    if (!newest || !news || this.shape(tail) !== this.shape(known)) return false;
    const place = newest.times.indexOf(news.times[0]);
    if (place < 0) return false;
    for (const name of ["times", "equity", "drawdown", "hold"]) newest[name].splice(place, Infinity, ...news[name]);
    newest.of = news.of;
    const pair = this.series.at(-1), scale = this.chart.timeScale(), range = scale.getVisibleLogicalRange();
    const isAll = !range || range.from <= 0;
    this.points(pair, newest);
    if (isAll) scale.fitContent();
    this.tell();
    return true;
  }

  // Whether the line of buying and holding is drawn; without it the curve has the height to itself.
  showHold(isShown) {
    this.showsHold = isShown;
    for (const { hold } of this.series) hold.applyOptions({ visible: isShown });
    this.tell();
  }

  shape(data) {
    return JSON.stringify(data.epochs.map((epoch) => [epoch.number, epoch.stretch, epoch.marks.length]));
  }

  clear() {
    for (const { equity, drawdown, hold } of this.series) {
      this.chart.removeSeries(drawdown);
      this.chart.removeSeries(hold);
      this.chart.removeSeries(equity);
    }
    this.series = [];
  }

  pair(epoch, data) {
    const gain = colour("--gain"), loss = colour("--loss");
    const equity = this.chart.addSeries(AreaSeries, {
      lineColor: gain, topColor: gain + "44", bottomColor: gain + "05", lineWidth: 2, lineType: LineType.Simple,
      priceFormat: { type: "price", precision: Math.min(data.digits, 8), minMove: 10 ** -data.digits }, priceLineStyle: LineStyle.Dotted,
      priceLineVisible: epoch === data.epochs.at(-1), lastValueVisible: epoch === data.epochs.at(-1),
    }, 0);
    const drawdown = this.chart.addSeries(AreaSeries, {
      lineColor: loss, topColor: loss + "05", bottomColor: loss + "55", lineWidth: 1, invertFilledArea: true,
      priceFormat: { type: "custom", minMove: 0.01, formatter: (value) => `${value.toFixed(2).replace("-", "−")} %` },
      priceLineVisible: false, lastValueVisible: epoch === data.epochs.at(-1),
    }, 1);
    equity.priceScale().applyOptions({ scaleMargins: { top: 0.14, bottom: 0.06 } });
    drawdown.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.08 } });
    const hold = this.chart.addSeries(LineSeries, {
      color: colour("--muted"), lineWidth: 1, lineStyle: LineStyle.Dashed, priceLineVisible: false, lastValueVisible: false,
      crosshairMarkerVisible: false, visible: this.showsHold,
    }, 0);
    const marks = createSeriesMarkers(equity, []);
    return { equity, drawdown, hold, marks };
  }

  fill() {
    this.data.epochs.forEach((epoch, at) => this.points(this.series[at], epoch));
  }

  points(pair, epoch) {
    const at = (name) => epoch.times.map((time, number) => ({ time: time + this.offset, value: epoch[name][number] }));
    pair.equity.setData(at("equity"));
    pair.drawdown.setData(at("drawdown"));
    pair.hold.setData(at("hold").map(({ time, value }) => (value === null ? { time } : { time, value })));
    pair.marks.setMarkers(epoch.marks.map(({ time, text, kind }) => ({
      time: time + this.offset, text: kind === "epoch" ? text : "", position: kind === "epoch" ? "aboveBar" : "inBar",
      shape: kind === "epoch" ? "arrowDown" : "circle", color: colour(kind === "epoch" ? "--warn" : "--accent"), size: kind === "epoch" ? 1 : 0.6,
    })));
  }

  // The values under the pointer, else the newest.
  tell(time) {
    if (!this.data?.epochs.length) return;
    const wanted = time === undefined ? undefined : time - this.offset;
    for (const epoch of [...this.data.epochs].reverse()) {
      const at = wanted === undefined ? epoch.times.length - 1 : epoch.times.indexOf(wanted);
      if (at < 0) continue;
      const mark = epoch.marks.filter((each) => each.time === epoch.times[at]).map((each) => each.text).join(", ");
      this.legend({ equity: epoch.equity[at], drawdown: epoch.drawdown[at], hold: this.showsHold ? epoch.hold[at] : null, mark, when: this.when(epoch.times[at]) });
      return;
    }
  }

  when(seconds) {
    const moment = new Date(seconds * 1000);
    const local = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" }).format(moment);
    return `${local} (${moment.toISOString().slice(11, 16)} UTC)`;
  }

  key(event) {
    const scale = this.chart.timeScale(), range = scale.getVisibleLogicalRange();
    if (!range || event.ctrlKey || event.metaKey || event.altKey) return;
    const width = range.to - range.from, step = Math.max(1, width / 10);
    const moves = { ArrowLeft: [-step, -step], ArrowRight: [step, step], "+": [width / 8, -width / 8], "=": [width / 8, -width / 8], "-": [-width / 8, width / 8] };
    if (event.key === "Home") scale.fitContent();
    const move = moves[event.key];
    if (!move && event.key !== "Home") return;
    event.preventDefault();
    if (move) scale.setVisibleLogicalRange({ from: range.from + move[0], to: range.to + move[1] });
  }

  options() {
    const line = colour("--line");
    return {
      autoSize: true,
      layout: {
        background: { type: ColorType.Solid, color: colour("--panel") }, textColor: colour("--muted"), attributionLogo: true,
        fontFamily: getComputedStyle(document.body).fontFamily, panes: { separatorColor: line, separatorHoverColor: line, enableResize: true },
      },
      grid: { vertLines: { visible: false }, horzLines: { color: line + "66" } },
      crosshair: { mode: CrosshairMode.Magnet, vertLine: { color: colour("--muted"), labelBackgroundColor: colour("--raised") }, horzLine: { color: colour("--muted"), labelBackgroundColor: colour("--raised") } },
      rightPriceScale: { borderColor: line }, timeScale: { borderColor: line, timeVisible: true, secondsVisible: false, rightOffset: ROOM_RIGHT, minBarSpacing: 0.05 },
      localization: { timeFormatter: (time) => this.when(time - this.offset) },
      handleScroll: { vertTouchDrag: false }, // a finger that moves down scrolls the page
    };
  }
}

function range(values) {
  return values.length ? Math.max(...values) - Math.min(...values) : 0;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
