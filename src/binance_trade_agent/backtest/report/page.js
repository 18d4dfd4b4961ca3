"use strict";
document.documentElement.classList.add("script");
for (const chart of document.querySelectorAll(".chart")) {
  const data = JSON.parse(chart.querySelector("script").textContent);
  const scroll = chart.querySelector(".scroll");
  const wide = chart.querySelector(".wide");
  const cross = chart.querySelector(".cross");
  const output = chart.querySelector("output");
  const pictures = chart.querySelectorAll("svg");
  const scales = chart.querySelectorAll(".scale div");

  // The last point at or before a time, as what is known then.
  const at = (seconds) => {
    let low = 0;
    let high = data.seconds.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (data.seconds[middle] <= seconds) low = middle;
      else high = middle;
    }
    return low;
  };
  const show = (index) => {
    const time = new Date(data.from + 1000 * data.seconds[index]).toISOString().slice(0, 16).replace("T", " ");
    output.textContent = time;
    for (const [name, values, digits] of data.series) {
      const value = document.createElement("b");
      const form = { minimumFractionDigits: digits, maximumFractionDigits: digits };
      value.textContent = values[index].toLocaleString("en-US", form);
      output.append(`  ${name} `, value);
    }
    cross.style.left = `${(100 * data.seconds[index]) / data.length}%`;
  };
  const read = (event) => {
    const box = wide.getBoundingClientRect();
    const fraction = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    show(at(fraction * data.length));
    cross.style.display = "block";
  };
  const rest = () => {
    show(data.seconds.length - 1);
    cross.style.display = "none";
  };
  wide.addEventListener("pointermove", read);
  wide.addEventListener("pointerdown", read);
  wide.addEventListener("pointerleave", rest);
  rest();

  const hold = chart.querySelector("input");
  const alone = () => hold !== null && !hold.checked;
  if (hold) {
    hold.checked = true;
    hold.addEventListener("change", () => {
      chart.classList.toggle("alone", !hold.checked);
      fit();
    });
  }

  // The visible part of a zoomed chart fills its height.
  const fit = () => {
    const seconds = (pixels) => (pixels / wide.clientWidth) * data.length;
    const first = at(seconds(scroll.scrollLeft));
    const last = at(seconds(scroll.scrollLeft + scroll.clientWidth));
    data.panes.forEach((pane, number) => {
      let { low, high } = pane;
      const fitted = pane.fitted.filter((each) => !alone() || data.series[each][0] !== "buy and hold");
      if (fitted.length && (chart.dataset.zoom !== "1" || alone())) {
        const seen = fitted.flatMap((each) => data.series[each][1].slice(first, last + 1));
        low = Math.min(...seen);
        high = Math.max(...seen);
        const room = 0.08 * (high - low) || 0.01 * Math.abs(high) || 1;
        low -= room;
        high += room;
      }
      place(pane, pictures[number], scales[number], low, high);
    });
  };
  const place = (pane, picture, scale, low, high) => {
    const unit = pane.height / (pane.high - pane.low);
    const { width } = picture.viewBox.baseVal;
    picture.setAttribute("viewBox", `0 ${(pane.high - high) * unit} ${width} ${(high - low) * unit}`);
    const least = (high - low) / pane.labels;
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= least * (1 - 1e-9));
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const form = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    let grid = "";
    scale.replaceChildren();
    for (let number = Math.ceil(low / step); number * step <= high; number += 1) {
      const value = number * step;
      grid += `M0 ${(pane.high - value) * unit}H${width}`;
      const top = (high - value) / (high - low);
      if (top > 0.96) continue;
      const label = document.createElement("span");
      label.textContent = (value || 0).toLocaleString("en-US", form);
      label.style.top = `${100 * top}%`;
      scale.append(label);
    }
    picture.querySelector(".grid").setAttribute("d", grid);
  };
  for (const button of chart.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      const middle = (scroll.scrollLeft + scroll.clientWidth / 2) / wide.clientWidth;
      chart.dataset.zoom = button.dataset.zoom;
      scroll.scrollLeft = middle * wide.clientWidth - scroll.clientWidth / 2;
      fit();
    });
  }
  scroll.addEventListener("scroll", () => requestAnimationFrame(fit));
}
