import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Timeline } from '../../src/lib/sandbox/timeline.js'

test('a timeline is what sorting and slicing would give', () => {
  const step = fc.record({ createdAt: fc.nat(30), keep: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step), fc.nat(35), fc.nat(35), (steps, offset, size) => {
      const timeline = new Timeline<{ createdAt: number }>()
      const model = new Map<number, { createdAt: number }>()
      for (const { createdAt, keep } of steps) {
        const there = model.get(createdAt)
        expect(timeline.taken(createdAt)).toBe(there !== undefined)
        timeline.remove(there ?? { createdAt })
        model.delete(createdAt)
        if (!keep) continue
        const thing = { createdAt }
        timeline.add(thing)
        model.set(createdAt, thing)
        timeline.remove({ createdAt })
      }
      const newestFirst = [...model.values()].sort((a, b) => b.createdAt - a.createdAt)
      expect(timeline.page(offset, size)).toEqual(newestFirst.slice(offset, offset + size))
    }),
  )
})
