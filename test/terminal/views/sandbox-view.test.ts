import { expect, it } from 'vitest'
import { sandboxView } from '../../../src/lib/terminal/views/sandbox-view.js'

it('sandboxView gives what is to be pasted', () => {
  expect(sandboxView({ url: 'http://127.0.0.1:4010/api/v1', managementKey: 'k', keys: 3 })).toEqual([
    'export OPENROUTER_BASE_URL=http://127.0.0.1:4010/api/v1',
    'export OPENROUTER_PROVISIONING_KEY=k',
  ])
})
