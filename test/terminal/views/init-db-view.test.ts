import { expect, it } from 'vitest'
import { initDbView } from '../../../src/lib/terminal/views/init-db-view.js'

it('promises no privacy on Windows, and says what to do there', () => {
  for (const came of ['created', 'adopted'] as const) {
    const [text = ''] = initDbView('C:\\Users\\Ada Quill\\comp1000\\keys.db', came, 'win32')
    expect(text).toContain('C:\\Users\\Ada Quill\\comp1000\\keys.db ')
    expect(text).toContain('keep it in a folder of your own')
    expect(text).not.toContain('readable by you alone')
  }
})

it.each(['linux', 'darwin'] as const)('says nothing of folders on %s', (platform) => {
  for (const came of ['created', 'adopted', 'already there'] as const)
    expect(initDbView('keys.db', came, platform).join()).not.toContain('Windows')
  expect(initDbView('keys.db', 'adopted', platform)[0]).toMatch(/readable by you alone\.$/)
})
