const BARS = '▁▂▃▄▅▆▇█'

/**
 * A series of amounts as one line of bars, from zero to the largest.
 * @param width the most characters it may take; a longer series is thinned, each bar being the last of its part
 */
export function chart(amounts: readonly number[], width: number): string {
  const most = amounts.reduce((max, amount) => Math.max(max, amount), 0)
  const bars = Math.min(amounts.length, width)
  return Array.from({ length: bars }, (_, i) => {
    const amount = amounts[Math.ceil(((i + 1) * amounts.length) / bars) - 1] ?? 0
    const step = most === 0 ? 0 : Math.round((amount / most) * (BARS.length - 1))
    return BARS[step]
  }).join('')
}
