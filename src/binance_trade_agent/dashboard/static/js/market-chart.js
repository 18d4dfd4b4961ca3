// The chart of the market page: candles and volume, the strategy's lines, marks of fills, lines of stops and targets.
import {
  CandlestickSeries, ColorType, createChart, createSeriesMarkers, CrosshairMode, HistogramSeries, LineSeries, LineStyle,
} from "../vendor/lightweight-charts.js";

const DAY_SECONDS = 86_400;
const STRETCH = { price: 4, other: 1 };
const MOST_BARS = 2_000; // a tab that stays open for days begins anew then
const SHOWN_BARS = 150, SHOWN_BARS_ON_PHONE = 60, ROOM_RIGHT = 6;
const TONES = ["--accent", "--warn", "--violet", "--muted"];

// Draws what `/market/chart` answers. `legend` takes what is to be told of the candle under the pointer, and the tops
// of the panes, in pixels.
export class MarketChart {
  constructor(element, legend, intervalSeconds) {
    this.element = element;
    this.legend = legend;
    this.offset = intervalSeconds < DAY_SECONDS ? -new Date().getTimezoneOffset() * 60 : 0;
    this.chart = createChart(element, this.options());
    this.chart.subscribeCrosshairMove((event) => this.tell(event.time));
    element.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => requestAnimationFrame(() => this.tell())).observe(element);
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => {
      this.chart.applyOptions(this.options());
      this.build(this.data);
      this.draw(this.data);
    });
  }

  // Everything anew; what is looked at stays where it is.
  draw(data) {
    const isFirst = !this.data;
    if (data.shape !== this.data?.shape || !this.candles) this.build(data);
    this.data = data;
    const times = data.times.map((time) => time + this.offset);
    const write = (price) => price.toLocaleString("en", { minimumFractionDigits: data.digits, maximumFractionDigits: data.digits });
    this.candles.applyOptions({ priceFormat: { type: "custom", minMove: 10 ** -data.digits, formatter: write } });
    this.candles.setData(times.map((time, at) => this.bar(data, at)));
    this.volume.setData(times.map((time, at) => this.volumeBar(data, at)));
    data.lines.forEach((line, number) => this.lines[number].setData(times.map((time, at) => this.point(line, number, time, at))));
    this.mark(data);
    this.level(data.levels);
    if (isFirst) {
      const shown = this.element.clientWidth < 600 ? SHOWN_BARS_ON_PHONE : SHOWN_BARS;
      this.chart.timeScale().setVisibleLogicalRange({ from: times.length - shown, to: times.length + ROOM_RIGHT });
    }
    this.tell();
  }

  // The newest candles. False when the whole chart has to be asked for again.
  update(tail) {
    const known = this.data, last = known.times.at(-1);
    if (known.times.length > MOST_BARS || !tail.times.length || tail.times[0] > last || tail.shape !== known.shape || tail.fills !== known.fills) return false;
    tail.times.forEach((time, at) => {
      const place = known.times.indexOf(time), isNew = place < 0;
      if (isNew) known.times.push(time);
      const here = isNew ? known.times.length - 1 : place, isOld = here < known.times.length - 1;
      for (const name of ["open", "high", "low", "close", "volume"]) known[name][here] = tail[name][at];
      this.candles.update(this.bar(known, here), isOld);
      this.volume.update(this.volumeBar(known, here), isOld);
      tail.lines.forEach((line, number) => {
        known.lines[number].values[here] = line.values[at];
        if (line.values[at] !== null) this.lines[number].update(this.point(known.lines[number], number, time + this.offset, here), isOld);
      });
    });
    if (JSON.stringify(tail.levels) !== JSON.stringify(known.levels)) this.level(tail.levels);
    known.levels = tail.levels;
    this.tell();
    return true;
  }

  build(data) {
    for (const series of this.series ?? []) this.chart.removeSeries(series);
    while (this.chart.panes().length > 1) this.chart.removePane(this.chart.panes().length - 1);
    for (const _ of data.panes) this.chart.addPane(true).setStretchFactor(STRETCH.other);
    this.chart.panes()[0].setStretchFactor(STRETCH.price);
    const gain = colour("--gain"), loss = colour("--loss");
    // Rising candles are hollow, falling ones filled: they differ without their colours.
    this.candles = this.chart.addSeries(CandlestickSeries, {
      upColor: colour("--panel"), borderUpColor: gain, wickUpColor: gain, downColor: loss, borderDownColor: loss, wickDownColor: loss,
      lastValueVisible: false, priceLineVisible: false,
    });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.14, bottom: 0.18 } });
    this.volume = this.chart.addSeries(HistogramSeries, { priceFormat: { type: "volume" }, priceScaleId: "volume", lastValueVisible: false, priceLineVisible: false });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } });
    const places = new Map([["price", 0], ...data.panes.map((pane, at) => [pane.key, at + 1])]);
    this.colours = data.lines.map((line) => colour(line.shape === "bars" ? "--muted" : TONES[line.tone]));
    this.lines = data.lines.map((line, number) => this.line(line, this.colours[number], places.get(line.pane)));
    this.series = [this.candles, this.volume, ...this.lines];
    for (const pane of data.panes) this.thresholds(pane, this.lines[data.lines.findIndex((line) => line.pane === pane.key)]);
    this.markers = createSeriesMarkers(this.candles, []);
    this.priceLines = [];
    this.last = this.candles.createPriceLine({ price: 0, color: gain, lineStyle: LineStyle.Dotted, lineWidth: 1, axisLabelVisible: true, axisLabelTextColor: colour("--bg") });
  }

  line(line, shade, pane) {
    const isOnPrice = line.pane === "price";
    const common = { color: shade, priceLineVisible: false, lastValueVisible: !isOnPrice && line.shape !== "bars", crosshairMarkerVisible: false };
    if (!isOnPrice) common.priceFormat = { type: "custom", minMove: 1e-8, formatter: short };
    if (line.shape === "bars") return this.chart.addSeries(HistogramSeries, common, pane);
    return this.chart.addSeries(LineSeries, { ...common, lineWidth: isOnPrice ? 1 : 2, lineStyle: line.shape === "dashed" ? LineStyle.Dashed : LineStyle.Solid }, pane);
  }

  // What the strategy compares with, always in view.
  thresholds(pane, series) {
    const values = pane.thresholds.map(({ value }) => value);
    for (const { value, label } of pane.thresholds) {
      series.createPriceLine({ price: value, title: label, color: colour("--muted"), lineStyle: LineStyle.Dotted, lineWidth: 1, axisLabelVisible: false });
    }
    series.applyOptions({ autoscaleInfoProvider: (original) => {
      const { priceRange, ...rest } = original() ?? {};
      const seen = priceRange ? [priceRange.minValue, priceRange.maxValue] : [];
      return values.length || seen.length ? { ...rest, priceRange: { minValue: Math.min(...values, ...seen), maxValue: Math.max(...values, ...seen) } } : null;
    } });
  }

  bar(data, at) {
    return { time: data.times[at] + this.offset, open: data.open[at], high: data.high[at], low: data.low[at], close: data.close[at] };
  }

  volumeBar(data, at) {
    return { time: data.times[at] + this.offset, value: data.volume[at], color: colour(data.close[at] >= data.open[at] ? "--gain" : "--loss") + "55" };
  }

  point(line, number, time, at) {
    const value = line.values[at];
    if (value === null) return { time };
    return line.shape === "bars" ? { time, value, color: colour(value >= 0 ? "--gain" : "--loss") + "88" } : { time, value };
  }

  mark(data) {
    this.markers.setMarkers(data.marks.map(({ time, side, count }) => ({
      time: time + this.offset, text: (side === "BUY" ? "B" : "S") + (count > 1 ? `×${count}` : ""),
      position: side === "BUY" ? "belowBar" : "aboveBar", shape: side === "BUY" ? "arrowUp" : "arrowDown",
      color: colour(side === "BUY" ? "--gain" : "--loss"), size: 1.2,
    })));
  }

  level(levels) {
    for (const line of this.priceLines) this.candles.removePriceLine(line);
    const shades = { entry: "--accent", stop: "--loss", target: "--gain", order: "--warn" };
    const styles = { entry: LineStyle.Solid, stop: LineStyle.LargeDashed, target: LineStyle.LargeDashed, order: LineStyle.Dashed };
    this.priceLines = levels.map(({ kind, price, label }) => this.candles.createPriceLine({
      price, title: label, color: colour(shades[kind]), lineStyle: styles[kind], lineWidth: 1, axisLabelVisible: true, axisLabelTextColor: colour("--bg"),
    }));
  }

  // The words of a candle: the one under the pointer, else the newest.
  tell(time) {
    const data = this.data;
    if (!data?.times.length) return;
    const found = time === undefined ? -1 : data.times.indexOf(time - this.offset);
    const at = found < 0 ? data.times.length - 1 : found;
    const marks = data.marks.filter((mark) => mark.time === data.times[at]);
    const top = this.element.getBoundingClientRect().top;
    const tops = this.chart.panes().map((pane) => (pane.getHTMLElement()?.getBoundingClientRect().top ?? top) - top);
    this.legend({ data, at, marks, colours: this.colours, when: this.when(data.times[at]), tops });
    this.last.applyOptions({ price: data.close.at(-1), color: colour(data.close.at(-1) >= data.open.at(-1) ? "--gain" : "--loss") });
  }

  when(seconds) {
    const moment = new Date(seconds * 1000);
    if (!this.offset) return `${moment.toISOString().slice(0, 16).replace("T", " ")} UTC`;
    const local = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" }).format(moment);
    return `${local} (${moment.toISOString().slice(11, 16)} UTC)`;
  }

  key(event) {
    const scale = this.chart.timeScale(), range = scale.getVisibleLogicalRange();
    if (!range || event.ctrlKey || event.metaKey || event.altKey) return;
    const width = range.to - range.from, step = Math.max(1, width / 10);
    const moves = {
      ArrowLeft: [-step, -step], ArrowRight: [step, step], "+": [width / 8, -width / 8], "=": [width / 8, -width / 8], "-": [-width / 8, width / 8],
      End: [this.data.times.length - range.to + ROOM_RIGHT, this.data.times.length - range.to + ROOM_RIGHT], Home: [-range.from, -range.from],
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    scale.setVisibleLogicalRange({ from: range.from + move[0], to: range.to + move[1] });
  }

  options() {
    const line = colour("--line");
    return {
      autoSize: true,
      layout: {
        background: { type: ColorType.Solid, color: colour("--panel") }, textColor: colour("--muted"), attributionLogo: true,
        fontFamily: getComputedStyle(document.body).fontFamily, panes: { separatorColor: line, separatorHoverColor: line },
      },
      grid: { vertLines: { color: line + "66" }, horzLines: { color: line + "66" } },
      crosshair: { mode: CrosshairMode.Normal, vertLine: { color: colour("--muted"), labelBackgroundColor: colour("--raised") }, horzLine: { color: colour("--muted"), labelBackgroundColor: colour("--raised") } },
      rightPriceScale: { borderColor: line }, timeScale: { borderColor: line, timeVisible: true, secondsVisible: false, rightOffset: ROOM_RIGHT },
      localization: { timeFormatter: (time) => this.when(time - this.offset) },
      handleScroll: { vertTouchDrag: false }, // a finger that moves down scrolls the page
    };
  }
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function short(value) {
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(1) : size >= 1 ? value.toFixed(2) : value.toPrecision(3).replace(/0+$/, "").replace(/\.$/, "");
}
