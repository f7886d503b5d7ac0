import { expect, it } from 'vitest'
import { ClassKeysError } from '../../src/lib/core/errors.js'
import { countOutcomes, isUnfinished, type OutcomeKind, stoppedOf } from '../../src/lib/core/outcome.js'

const of = (outcome: OutcomeKind) => ({ email: 'ada@example.edu', name: 'Ada Quill', mqId: '1', outcome })

it.each<[OutcomeKind, boolean]>([
  ['created', false],
  ['already had one', false],
  ['healed', false],
  ['updated', false],
  ['failed', true],
  ['in doubt', true],
  ['not tried', true],
])('%s leaves something to do: %s', (outcome, unfinished) => {
  expect(isUnfinished(of(outcome))).toBe(unfinished)
})

it('counts each kind that there is', () => {
  expect(countOutcomes([])).toEqual({})
  expect(countOutcomes([of('created'), of('failed'), of('created')])).toEqual({ created: 2, failed: 1 })
})

it.each([
  [undefined, {}],
  [
    new ClassKeysError('disk_full', 'The disk is full.'),
    { stopped: { code: 'disk_full', message: 'The disk is full.' } },
  ],
  [new Error('boom'), { stopped: { code: 'unexpected', message: 'boom' } }],
])('tells why a run stopped: %s', (error, stopped) => expect(stoppedOf(error)).toEqual(stopped))
