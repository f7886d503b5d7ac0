import { describe, expect, it } from 'vitest'
import type { FoundTarget, Target } from '../../src/lib/core/limits.js'
import {
  type RelativeTarget,
  reachedTargets,
  relativeTargets,
  showsUnreached,
  staleTargets,
} from '../../src/lib/core/relative-targets.js'
import { aKey } from './make.js'

/** A row as limits.csv has it, and its key with a limit. */
function row(cells: { limit?: Target['limit']; written?: string; actual?: number }, limit: number | null) {
  const { limit: wanted, written = '+5', actual } = cells
  const target: Target = {
    line: 2,
    email: 'ada@example.edu',
    name: 'Ada Quill',
    mqId: '48200001',
    limit: 'limit' in cells ? wanted : { add: 5 },
    disabled: undefined,
    limitReset: undefined,
    keyName: '',
    hash: 'h1',
    actualLimit: actual,
    written: { limit: written, disabled: '', limitReset: '' },
    extra: new Map(),
  }
  return { target, key: aKey({ hash: 'h1', limit }) }
}
const ENTRY: RelativeTarget = { hash: 'h1', written: '+5', target: 8 }
const OTHER: RelativeTarget = { hash: 'h2', written: '+1', target: 2 }

/** What comes of one row and the entry. */
function settle(found: FoundTarget) {
  const intended = [ENTRY, OTHER]
  return {
    comesTo: relativeTargets([found], intended).map(({ target }) => target),
    stale: staleTargets([found], intended),
    reached: [...reachedTargets([found], intended).values()],
  }
}

it('comes to what the key may spend and the amount, where nothing is written down', () => {
  expect(relativeTargets([row({}, 3)], [])).toEqual([ENTRY])
  expect(relativeTargets([row({ limit: { add: 0.2 }, written: '+.2' }, 0.1)], [OTHER])).toEqual([
    { hash: 'h1', written: '+.2', target: 0.3 },
  ])
})

describe('what is written down', () => {
  it.each<[string, FoundTarget, number[]]>([
    ['and not reached', row({}, 3), []],
    ['and not reached, in a file that shows what was', row({ actual: 3 }, 3), []],
    ['while somebody has changed the limit since', row({ actual: 3 }, 6), []],
    ['and reached', row({}, 8), [8]],
    ['and reached, in a file from before', row({ actual: 3 }, 8), [8]],
    ['in other words for the same', row({ written: '+$5.00' }, 3), []],
  ])('holds %s', (_, found, reached) => {
    expect(settle(found)).toEqual({ comesTo: [8], stale: [], reached })
    expect(relativeTargets([found], [ENTRY])[0]).toBe(ENTRY)
  })

  it.each<[string, FoundTarget, number[]]>([
    ['the cell has another amount', row({ limit: { add: 6 }, written: '+6' }, 8), [14]],
    ['the file was written after it was reached', row({ actual: 8 }, 8), [13]],
    ['the file shows it, and the limit was lowered since', row({ actual: 8 }, 3), [8]],
    ['the cell is absolute', row({ limit: 8, written: '8.00' }, 8), []],
    ['the cell is empty', row({ limit: undefined, written: '' }, 8), []],
    ['the key has no limit any more', row({}, null), []],
  ])('is over where %s', (_, found, comesTo) => {
    expect(settle(found)).toEqual({ comesTo, stale: ['h1'], reached: [] })
  })

  it('stays where the file has no row about the key', () => {
    expect(staleTargets([], [ENTRY])).toEqual([])
    const { target } = row({}, 3)
    expect(settle({ target, key: undefined, why: 'no such key' })).toEqual({
      comesTo: [],
      stale: [],
      reached: [],
    })
  })
})

it.each([
  ['shows it already', 8, 3, true],
  ['shows it, and so it is', 8, 8, false],
  ['shows what is', 3, 3, false],
  ['shows nothing', undefined, 3, false],
])('a file that %s (amount %s, limit %s) shows what is not reached: %s', (_, actual, limit, first) => {
  const found = [row({ ...(actual !== undefined && { actual }) }, limit)]
  expect(showsUnreached(found, [ENTRY])).toBe(first)
})
