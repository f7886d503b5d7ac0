import { describe, expect, it } from 'vitest'
import { chart } from '../../src/lib/terminal/chart.js'

describe('chart', () => {
  it.each([
    [[], 10, ''],
    [[0, 0], 10, '▁▁'],
    [[5], 10, '█'],
    [[0, 1, 2, 3, 4, 5, 6, 7], 10, '▁▂▃▄▅▆▇█'],
    [[7, 3.5, 0], 10, '█▅▁'],
    [[0, 1, 2, 3, 4, 5, 6, 7], 4, '▂▄▆█'],
    [[0, 0, 0, 0, 7], 2, '▁█'],
  ])('%j in %i characters is %s', (amounts, width, bars) => expect(chart(amounts, width)).toBe(bars))

  it('takes as many amounts as a long term has', () => {
    const amounts = Array.from({ length: 50_000 }, (_, i) => i)
    expect(chart(amounts, 8)).toBe('▂▃▄▄▅▆▇█')
  })
})
