import { expect, test } from 'vitest'
import { createSandbox } from '../../src/lib/sandbox/sandbox.js'
import { ask } from './asking.js'

test('there is a default workspace, and more can be made', async () => {
  const sandbox = createSandbox()
  const made = await ask(sandbox, 'POST', '/workspaces', { body: { name: 'COMP1000', slug: 'comp1000' } })
  expect(made.status).toBe(201)
  const { body } = await ask(sandbox, 'GET', '/workspaces')
  expect(body).toMatchObject({
    data: [{ id: sandbox.state.defaultWorkspaceId, slug: 'default' }, made.body.data],
  })
  expect(body.total_count).toBe(2)
  expect((await ask(sandbox, 'GET', '/workspaces?offset=1&limit=5')).body.data).toEqual([made.body.data])
})

test.each([
  [{ name: 'x' }, /^slug/],
  [{ name: '', slug: 'x' }, /^name/],
  [{ name: 'x', slug: 'Not A Slug' }, /^slug/],
  [{ name: 'x', slug: 'default' }, /^slug: already taken/],
  [{ name: 'x', slug: 'x', colour: 'red' }, /^colour: unknown/],
])('%j is refused', async (body, message) => {
  const answer = await ask(createSandbox(), 'POST', '/workspaces', { body })
  expect(answer.status).toBe(400)
  expect(answer.body.error.message).toMatch(message)
})
