import { Config } from '@oclif/core'
import { expect, it, vi } from 'vitest'
import { compileCacheFolder } from '../../src/lib/terminal/compile-cache.js'
import { ROOT } from '../support/command.js'

it.each<[string, NodeJS.ProcessEnv, NodeJS.Platform, string, string]>([
  ['Linux', {}, 'linux', '/home/ada', '/home/ada/.cache/class-keys/compiled'],
  [
    'Linux with a cache elsewhere',
    { XDG_CACHE_HOME: '/var/c' },
    'linux',
    '/home/ada',
    '/var/c/class-keys/compiled',
  ],
  ['macOS', {}, 'darwin', '/Users/ada', '/Users/ada/Library/Caches/class-keys/compiled'],
  [
    'Windows',
    { LOCALAPPDATA: 'C:\\Users\\Ada Quill\\AppData\\Local' },
    'win32',
    'C:\\Users\\Ada Quill',
    'C:\\Users\\Ada Quill\\AppData\\Local\\class-keys\\compiled',
  ],
  ['Windows without that', {}, 'win32', 'C:\\Users\\Ada', 'C:\\Users\\Ada\\.cache\\class-keys\\compiled'],
  ['a folder that is named', { CLASS_KEYS_CACHE_DIR: '/c' }, 'linux', '/home/ada', '/c/compiled'],
])('on %s', (_, env, platform, home, folder) => {
  expect(compileCacheFolder(env, platform, home)).toBe(folder)
})

it('is within the cache that oclif has for the program', async () => {
  vi.stubEnv('HOME', '/home/ada')
  for (const XDG_CACHE_HOME of [undefined, '/var/cache']) {
    vi.stubEnv('XDG_CACHE_HOME', XDG_CACHE_HOME)
    const { cacheDir } = await Config.load({ root: ROOT, pjson: undefined as never })
    expect(compileCacheFolder(process.env, process.platform, '/home/ada')).toBe(`${cacheDir}/compiled`)
  }
})
