import { describe, expect, test } from 'vitest'
import { createSandbox } from '../../src/lib/sandbox/sandbox.js'
import { sandboxAt } from './asking.js'

const OURS = /^(\d{8})_(.+)_(\w+)$/

describe('the keys that are already there', () => {
  const now = () => new Date('2026-11-24T09:00:00Z')
  const { state } = createSandbox({ keys: 300, now })
  const keys = state.keys()

  test('are as many as asked for, all different, and the same each time', () => {
    expect(keys).toHaveLength(300)
    expect(new Set(keys.map(({ hash }) => hash)).size).toBe(300)
    expect(new Set(keys.map(({ created_at }) => created_at)).size).toBe(300)
    expect(createSandbox({ keys: 300, now }).state.keys()).toEqual(keys)
    expect(createSandbox().state.keys()).toEqual([])
  })

  test('are named as ours, with MQ IDs from 48200001 on, but for a few', () => {
    const ours = keys.filter(({ name }) => OURS.test(name)).reverse()
    expect(ours[0]?.name).toBe('20260219_Ada Quill_48200001')
    expect(ours.map(({ name }) => OURS.exec(name)?.[3])).toEqual(
      ours.map((_, index) => `${48200001 + index}`),
    )
    expect(
      ours.every(({ name, created_at }) => name.startsWith(created_at.slice(0, 10).replaceAll('-', ''))),
    ).toBe(true)
    expect(keys.length - ours.length).toBe(25)
    expect(keys.map(({ name }) => name)).toContain('research-bot')
  })

  test('are of all kinds', () => {
    const count = (is: (key: (typeof keys)[number]) => boolean) => keys.filter(is).length
    expect(count(({ disabled }) => disabled)).toBe(30)
    expect(new Set(keys.map(({ limit_reset }) => limit_reset))).toEqual(
      new Set([null, 'daily', 'weekly', 'monthly']),
    )
    expect(count(({ limit }) => limit === null)).toBeGreaterThan(10)
    expect(count(({ limit }) => limit === 0)).toBeGreaterThan(10)
    expect(count(({ usage }) => usage === 0)).toBeGreaterThan(50)
    expect(count(({ usage_daily }) => usage_daily > 0)).toBeGreaterThan(50)
    expect(count(({ limit, limit_remaining }) => limit !== 0 && limit_remaining === 0)).toBeGreaterThan(5)
  })

  test('were made in the past, whatever the clock says', () => {
    expect(keys.every(({ created_at }) => new Date(created_at) < now())).toBe(true)
    const early = sandboxAt('2025-07-01T00:00:00Z', { keys: 300 }).sandbox.state.keys()
    expect(early.every(({ created_at }) => new Date(created_at) < new Date('2025-07-01T00:00:00Z'))).toBe(
      true,
    )
  })

  test('are older than what comes', () => {
    const later = createSandbox({ keys: 5, now })
    later.state.addKey({ name: 'new' })
    expect(later.state.keys()[0]?.name).toBe('new')
  })
})
