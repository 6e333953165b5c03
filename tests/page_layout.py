"""Finds faults of the layout in an open page: each statement returns the faulty elements."""

from __future__ import annotations

# The elements that end to the right of the window, without those in boxes that scroll.
FIND_BEYOND = """() => [...document.querySelectorAll('body *')].filter(one =>
  one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1
  && !one.closest('.scrolled, pre, .unseen, .skip')).map(one => one.outerHTML.slice(0, 80))"""
# The texts whose contrast with their background is below 4.5. Source: WCAG 2.2, criterion 1.4.3.
FIND_FAINT = """() => {
  const read = text => text.match(/[\\d.]+/g).map(Number);
  const light = rgb => rgb.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, index) => sum + v * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = one => {
    for (; one; one = one.parentElement) {
      const found = read(getComputedStyle(one).backgroundColor);
      if (found.length < 4 || found[3] > 0.5) return found;
    }
    return [255, 255, 255];
  };
  const contrast = one => {
    const style = getComputedStyle(one);
    const shades = [light(read(one.closest('svg') ? style.fill : style.color)), light(ground(one))];
    return (Math.max(...shades) + 0.05) / (Math.min(...shades) + 0.05);
  };
  return [...document.querySelectorAll('body *')].filter(one =>
    [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
    && one.checkVisibility() && one.getBoundingClientRect().width
    && !one.closest('.unseen, .skip, title, desc')
    && contrast(one) < 4.5).map(one => one.outerHTML.slice(0, 80));
}"""
