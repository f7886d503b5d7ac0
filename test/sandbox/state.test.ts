import { expect, test } from 'vitest'
import { ask, sandboxAt } from './asking.js'

test('a key can be put there with everything that it has', async () => {
  const { sandbox } = sandboxAt('2026-03-02T10:00:00Z')
  const { secret, ...key } = sandbox.state.addKey({
    name: 'Ada',
    secret: `sk-or-v1-${'ab'.repeat(32)}`,
    limit: 3,
    limit_reset: 'weekly',
    include_byok_in_limit: true,
    disabled: true,
    usage: 1,
    created_at: new Date('2026-02-01T00:00:00Z'),
    expires_at: new Date('2026-02-02T00:00:00Z'),
    creator_user_id: 'user',
  })
  expect(secret).toBe(`sk-or-v1-${'ab'.repeat(32)}`)
  expect((await ask(sandbox, 'GET', `/keys/${key.hash}`)).body.data).toEqual(key)
  expect(key).toMatchObject({
    limit_remaining: 2,
    created_at: '2026-02-01T00:00:00.000000+00:00',
    expires_at: '2026-02-02T00:00:00.000000+00:00',
  })
  expect(() => sandbox.state.addKey({ name: 'Ada', secret })).toThrow(/already/)
})

test('a key can be changed and deleted behind the back of the API', async () => {
  const { sandbox } = sandboxAt('2026-03-02T10:00:00Z')
  const { hash } = sandbox.state.addKey({ name: 'Ada', limit: 3 })
  const edit = { name: 'Ada Quill', disabled: true, limit: 4, limit_reset: 'daily' } as const
  expect(sandbox.state.editKey(hash, edit)).toMatchObject(edit)
  expect((await ask(sandbox, 'GET', '/keys')).body.data).toEqual([])
  expect(sandbox.state.editKey(hash, { limit: 5 })).toMatchObject({ ...edit, limit: 5 })
  expect(sandbox.state.deleteKey(hash)).toBe(true)
  expect(sandbox.state.deleteKey(hash)).toBe(false)
  expect(sandbox.state.key(hash)).toBeUndefined()
  expect(() => sandbox.state.editKey(hash, {})).toThrow(/no key/)
  expect(() => sandbox.state.addUsage(hash, 1)).toThrow(/no key/)
})
