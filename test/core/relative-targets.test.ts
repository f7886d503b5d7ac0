import { describe, expect, it } from 'vitest'
import type { FoundTarget } from '../../src/lib/core/find-targets.js'
import type { Target } from '../../src/lib/core/limits.js'
import {
  type RelativeTarget,
  reachedTargets,
  relativeTargets,
  staleRaises,
  staleTargets,
} from '../../src/lib/core/relative-targets.js'
import { aKey, aTarget } from './make.js'

/** A row as limits.csv has it, and its key with a limit. */
function row(
  cells: { limit?: Target['limit']; written?: string; actual?: number | null },
  limit: number | null,
) {
  const { limit: wanted, written = '+5', actual } = cells
  const target = aTarget({
    limit: 'limit' in cells ? wanted : { add: 5 },
    hash: 'h1',
    actualLimit: actual,
    written: { limit: written, disabled: '', limitReset: '' },
  })
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

describe('a relative target in a file that is behind', () => {
  const NEWER = 'Write the new limit itself, or run class-keys refresh-limits-file and look at the row again'
  it.each<[string, FoundTarget, RelativeTarget[], string]>([
    ['the limit was raised since', row({ actual: 3 }, 8), [], '$3.00, and the limit is $8.00 now'],
    ['the limit was lowered since', row({ actual: 8 }, 3), [], '$8.00, and the limit is $3.00 now'],
    ['the limit was lifted since', row({ actual: 3 }, null), [], '$3.00, and the limit is unlimited now'],
    ['there was none before', row({ actual: null }, 3), [], 'unlimited, and the limit is $3.00 now'],
    [
      'what is written down is of another key',
      row({ actual: 3 }, 8),
      [OTHER],
      '$3.00, and the limit is $8.00 now',
    ],
    [
      'what is written down was for other words',
      row({ actual: 3, limit: { add: 6 }, written: '+6' }, 8),
      [ENTRY],
      '$3.00, and the limit is $8.00 now',
    ],
    [
      'the file shows what was reached, and the limit was changed since',
      row({ actual: 8 }, 3),
      [ENTRY],
      '$8.00, and the limit is $3.00 now',
    ],
  ])('is refused where %s', (_, found, intended, words) => {
    expect(staleRaises([found], intended)).toEqual([
      {
        line: 2,
        column: 'target_limit',
        value: found.target.written.limit,
        message: `is to be added to ${words}. ${NEWER}`,
      },
    ])
  })

  it.each<[string, FoundTarget, RelativeTarget[]]>([
    ['the file shows what is', row({ actual: 3 }, 3), []],
    ['it shows the same to a millionth', row({ actual: 0.3 }, 0.1 + 0.2), []],
    ['it does not show what was', row({}, 8), []],
    ['an earlier run has written down what it comes to', row({ actual: 3 }, 6), [ENTRY]],
    ['that run has reached it', row({ actual: 3 }, 8), [ENTRY]],
    ['the file shows what was reached, and it is so', row({ actual: 8 }, 8), [ENTRY]],
    ['neither the file nor OpenRouter knows a limit', row({ actual: null }, null), []],
    ['the target is absolute', row({ actual: 3, limit: 8, written: '8' }, 5), []],
    ['there is none', row({ actual: 3, limit: undefined, written: '' }, 5), []],
    ['it lifts the limit', row({ actual: 3, limit: null, written: 'unlimited' }, 5), []],
    ['the row is about no key', { target: row({ actual: 3 }, 8).target, key: undefined }, []],
    ['nothing is done for the row', { ...row({ actual: 3 }, 8), why: 'its key was replaced' }, []],
  ])('is not, where %s', (_, found, intended) => {
    expect(staleRaises([found], intended)).toEqual([])
  })

  it('is named for each row, in their order', () => {
    const at = (line: number, found: FoundTarget) => ({ ...found, target: { ...found.target, line } })
    const rows = [at(2, row({ actual: 3 }, 8)), at(3, row({ actual: 8 }, 8)), at(4, row({ actual: 1 }, 2))]
    expect(staleRaises(rows, []).map(({ line }) => line)).toEqual([2, 4])
  })
})
