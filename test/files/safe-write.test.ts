import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ClassKeysError } from '../../src/lib/core/errors.js'
import { createFile, PRIVATE, prepareFolder, replaceFile } from '../../src/lib/files/safe-write.js'
import { modeOf, names, useFolder } from '../support/folder.js'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, open: vi.fn(real.open), rename: vi.fn(real.rename), link: vi.fn(real.link) }
})
const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')

useFolder()
const umask = process.umask()
beforeEach(() => {
  process.umask(0o022)
})
afterEach(() => {
  process.umask(umask)
  vi.mocked(fs.open).mockImplementation(real.open)
  vi.mocked(fs.rename).mockImplementation(real.rename)
  vi.mocked(fs.link).mockImplementation(real.link)
})

const failure = (code: string) => Object.assign(new Error(`${code}: no`), { code })

/** Lets the next file that is opened for writing fail when it is written to or synced, as on a full disk. */
function failOn(method: 'writeFile' | 'sync', code = 'ENOSPC') {
  vi.mocked(fs.open).mockImplementationOnce(async (...args) => {
    const file = await real.open(...args)
    if (method === 'sync') await file.writeFile('half of')
    file[method] = () => Promise.reject(failure(code))
    return file
  })
}

/** What can be seen of each file at the moment it is opened for writing, before its first byte. */
function watchDrafts() {
  const drafts: { path: string; mode: string; size: number }[] = []
  vi.mocked(fs.open).mockImplementation(async (path, flags, mode) => {
    const file = await real.open(path, flags, mode)
    if (flags === 'wx')
      drafts.push({ path: String(path), mode: modeOf(String(path)), size: statSync(path).size })
    return file
  })
  return drafts
}

const write = {
  replaceFile: (path: string, text: string, mode?: number) => replaceFile(path, text, mode),
  createFile: async (path: string, text: string, mode?: number) => void (await createFile(path, text, mode)),
}

describe.each(Object.entries(write))('%s', (_, save) => {
  it('writes the text, and leaves nothing else', async () => {
    await save('limits.csv', 'a\nZoë\n')
    expect(readFileSync('limits.csv', 'utf8')).toBe('a\nZoë\n')
    expect(names()).toEqual(['limits.csv'])
    expect(modeOf('limits.csv')).toBe('644')
  })

  it('keeps secrets to the owner from before the first byte, whatever the umask', async () => {
    process.umask(0)
    const drafts = watchDrafts()
    await save('api_keys.csv', 'a secret', PRIVATE)
    expect(drafts).toEqual([{ path: expect.stringMatching(/^\.api_keys\.csv\./), mode: '600', size: 0 }])
    expect(modeOf('api_keys.csv')).toBe('600')
  })

  it('makes the draft in the same folder: a rename from elsewhere would not be atomic', async () => {
    mkdirSync('sub')
    const drafts = watchDrafts()
    await save('sub/limits.csv', 'x')
    expect(drafts[0]?.path).toMatch(/^sub\/\.limits\.csv\./)
    expect(names('sub')).toEqual(['limits.csv'])
  })

  it.each(['writeFile', 'sync'] as const)('leaves nothing where the disk is full on %s', async (method) => {
    failOn(method)
    const error = await save('limits.csv', 'new').catch((e) => e)
    expect(error).toBeInstanceOf(ClassKeysError)
    expect(error).toMatchObject({ code: 'file_unwritable', exitCode: 1 })
    expect(error.message).toBe(
      'limits.csv cannot be written in . (the disk is full). Run class-keys in a folder that you may write to.',
    )
    expect(names()).toEqual([])
  })

  it.each([
    ['missing/limits.csv', 'limits.csv cannot be written in missing (the folder does not exist).'],
    ['file/limits.csv', 'limits.csv cannot be written in file (not a folder).'],
  ])('says why %s cannot be', async (path, message) => {
    writeFileSync('file', '')
    const error = await save(path, 'x').catch((e) => e)
    expect(error).toMatchObject({ code: 'file_unwritable', cause: expect.any(Error) })
    expect(error.message).toContain(message)
    expect(names()).toEqual(['file'])
  })

  it.each([
    ['EACCES', 'permission denied'],
    ['EPERM', 'permission denied'],
    ['EROFS', 'read-only'],
    ['EDQUOT', 'the disk quota is used up'],
    ['EFBIG', 'the disk takes no file of that size'],
    ['EMFILE', 'EMFILE'],
  ])('%s is told as %s', async (code, words) => {
    vi.mocked(fs.open).mockRejectedValueOnce(failure(code))
    await expect(save('limits.csv', 'x')).rejects.toThrow(`limits.csv cannot be written in . (${words}).`)
  })

  it('puts the text on the disk before it gets its name', async () => {
    const steps: string[] = []
    vi.mocked(fs.open).mockImplementation(async (...args) => {
      const file = await real.open(...args)
      const sync = file.sync.bind(file)
      const what = (await file.stat()).isDirectory() ? 'folder' : 'file'
      file.sync = async () => {
        steps.push(`sync ${what}`)
        return sync()
      }
      return file
    })
    vi.mocked(fs.rename).mockImplementation(async (...args) => {
      steps.push('name')
      return real.rename(...args)
    })
    vi.mocked(fs.link).mockImplementation(async (...args) => {
      steps.push('name')
      return real.link(...args)
    })
    await save('limits.csv', 'x')
    expect(steps).toEqual(['sync file', 'name', 'sync folder'])
  })
})

describe('replaceFile', () => {
  it.each<[string, () => void]>([
    ['writing', () => failOn('writeFile')],
    ['syncing', () => failOn('sync')],
    ['renaming', () => void vi.mocked(fs.rename).mockRejectedValueOnce(failure('EIO'))],
  ])('keeps the old file whole where %s fails', async (_, breakIt) => {
    writeFileSync('limits.csv', 'old')
    breakIt()
    await expect(replaceFile('limits.csv', 'new')).rejects.toMatchObject({ code: 'file_unwritable' })
    expect(names()).toEqual(['limits.csv'])
    expect(readFileSync('limits.csv', 'utf8')).toBe('old')
  })

  it('never shows a reader anything but a whole file', async () => {
    const texts = ['a', 'b', 'c'].map((letter) => letter.repeat(200_000))
    writeFileSync('limits.csv', texts[0] ?? '')
    let writing = true
    const reader = (async () => {
      const seen = new Set<string>()
      while (writing) seen.add(await real.readFile('limits.csv', 'utf8'))
      return seen
    })()
    for (let n = 0; n < 20; n++) await replaceFile('limits.csv', texts[n % 3] ?? '')
    writing = false
    for (const text of await reader) expect(texts.includes(text)).toBe(true)
  })

  it.each([0o600, 0o640, 0o664, 0o666])('keeps the permissions of the old file: %o', async (mode) => {
    writeFileSync('limits.csv', 'old')
    chmodSync('limits.csv', mode)
    await replaceFile('limits.csv', 'new')
    expect(modeOf('limits.csv')).toBe(mode.toString(8))
  })

  it('takes a file with secrets away from others, who could read the old one', async () => {
    writeFileSync('export.csv', 'old', { mode: 0o644 })
    const drafts = watchDrafts()
    await replaceFile('export.csv', 'a secret', PRIVATE)
    expect(modeOf('export.csv')).toBe('600')
    expect(drafts.map(({ mode }) => mode)).toEqual(['600'])
  })

  it('writes through a symbolic link', async () => {
    mkdirSync('synced')
    writeFileSync('synced/limits.csv', 'old')
    symlinkSync('synced/limits.csv', 'limits.csv')
    await replaceFile('limits.csv', 'new')
    expect(lstatSync('limits.csv').isSymbolicLink()).toBe(true)
    expect(readFileSync('synced/limits.csv', 'utf8')).toBe('new')
    expect(names('synced')).toEqual(['limits.csv'])
  })

  it('does not replace a folder', async () => {
    mkdirSync('limits.csv')
    await expect(replaceFile('limits.csv', 'x')).rejects.toMatchObject({ code: 'file_unwritable' })
    expect(names()).toEqual(['limits.csv'])
    expect(names('limits.csv')).toEqual([])
  })

  it.each<[string, string, () => void]>([
    ['a pipe', 'a pipe', () => execFileSync('mkfifo', ['limits.csv'])],
    [
      'a link to a pipe',
      'a pipe',
      () => {
        execFileSync('mkfifo', ['pipe'])
        symlinkSync('pipe', 'limits.csv')
      },
    ],
    [
      'a link that leads nowhere',
      'a link that cannot be followed',
      () => symlinkSync('gone/limits.csv', 'limits.csv'),
    ],
    ['a folder', 'a folder', () => mkdirSync('limits.csv')],
  ])('does not replace %s, and says so', async (_, kind, make) => {
    make()
    const before = names().map((name) => [name, lstatSync(name).mode])
    const error = await replaceFile('limits.csv', 'x').catch((e) => e)
    expect(error).toMatchObject({ code: 'file_unwritable', exitCode: 2 })
    expect(error.message).toBe(`limits.csv is ${kind}, and is not replaced by a file. Name another path.`)
    expect(names().map((name) => [name, lstatSync(name).mode])).toEqual(before)
  })
})

describe('createFile', () => {
  it('takes another name where one is taken, and leaves the old file as it is', async () => {
    writeFileSync('keys_1.csv', 'old')
    expect(await createFile('keys_1.csv', 'second')).toBe('keys_1-2.csv')
    expect(await createFile('keys_1.csv', 'third')).toBe('keys_1-3.csv')
    expect(names().map((name) => readFileSync(name, 'utf8'))).toEqual(['second', 'third', 'old'])
    expect(names()).toEqual(['keys_1-2.csv', 'keys_1-3.csv', 'keys_1.csv'])
  })

  it('gives each of many at once a name of its own', async () => {
    const texts = Array.from({ length: 12 }, (_, i) => `text ${i}`)
    const paths = await Promise.all(texts.map((text) => createFile('same.csv', text, PRIVATE)))
    expect(new Set(paths).size).toBe(12)
    expect(paths.map((path) => readFileSync(path, 'utf8'))).toEqual(texts)
    expect(names().sort()).toEqual([...paths].sort())
    expect(paths.map(modeOf)).toEqual(paths.map(() => '600'))
  })

  it('takes another name beside a folder and a dangling link', async () => {
    mkdirSync('a.csv')
    symlinkSync('nowhere', 'a-2.csv')
    expect(await createFile('a.csv', 'x')).toBe('a-3.csv')
  })

  it('keeps the folder and a name without an ending', async () => {
    mkdirSync('sub')
    expect(await createFile('sub/keys', 'x')).toBe('sub/keys')
    expect(await createFile('sub/keys', 'x')).toBe('sub/keys-2')
  })

  it('leaves no draft where the name cannot be given', async () => {
    vi.mocked(fs.link).mockRejectedValueOnce(failure('EIO'))
    await expect(createFile('a.csv', 'a secret', PRIVATE)).rejects.toMatchObject({ code: 'file_unwritable' })
    expect(names()).toEqual([])
  })

  it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])(
    'does without links where the disk has none (%s), and overwrites nothing',
    async (code) => {
      // A stick with exFAT, and some network drives: secrets must get to such a folder too.
      vi.mocked(fs.link).mockRejectedValue(failure(code))
      writeFileSync('a.csv', 'old')
      expect(await createFile('a.csv', 'a secret', PRIVATE)).toBe('a-2.csv')
      expect(readFileSync('a-2.csv', 'utf8')).toBe('a secret')
      expect(modeOf('a-2.csv')).toBe('600')
      expect(readFileSync('a.csv', 'utf8')).toBe('old')
      expect(names()).toEqual(['a-2.csv', 'a.csv'])
    },
  )
})

describe('prepareFolder', () => {
  it('leaves nothing in a folder that takes files', async () => {
    await prepareFolder('.', 1)
    expect(names()).toEqual([])
  })

  it.each(['missing', 'file'])('refuses one that takes none: %s', async (folder) => {
    writeFileSync('file', '')
    await expect(prepareFolder(folder, 1)).rejects.toMatchObject({ code: 'file_unwritable' })
  })

  it.each([1, 64 * 1024, 1_000_003])('finds out whether there is room for %i bytes', async (room) => {
    const { size, private: mode } = await new Promise<{ size: number; private: string }>((resolve) => {
      vi.mocked(fs.open).mockImplementationOnce(async (path, ...args) => {
        const file = await real.open(path, ...args)
        const { sync } = file
        file.sync = async () => {
          resolve({ size: statSync(String(path)).size, private: modeOf(String(path)) })
          await sync.call(file)
        }
        return file
      })
      void prepareFolder('.', room)
    })
    expect([size, mode]).toEqual([room, '600'])
    await vi.waitFor(() => expect(names()).toEqual([]))
  })

  it('takes away the drafts of runs that were killed, and of no others', async () => {
    const draft = (pid: number, name = 'api_keys.csv') => `.${name}.${pid}.0123456789ab.class-keys-draft`
    // A process that has ended for certain.
    const dead = spawnSync(process.execPath, ['-e', '']).pid
    const alive = [draft(process.pid), draft(1)]
    const others = [
      `.${dead}.0123456789ab.class-keys-draft`,
      `x.csv.${dead}.class-keys-draft`,
      '.env',
      'limits.csv',
    ]
    for (const name of [draft(dead), draft(dead, 'limits.csv'), ...alive, ...others])
      writeFileSync(name, 'sk')
    await prepareFolder('.', 1)
    expect(names()).toEqual([...alive, ...others].sort())
  })

  it('goes on where such a draft cannot be taken away', async () => {
    const dead = spawnSync(process.execPath, ['-e', '']).pid
    mkdirSync(`.x.csv.${dead}.0123456789ab.class-keys-draft`)
    await prepareFolder('.', 1)
    expect(names()).toHaveLength(1)
  })

  it('notices a full disk, not only a folder that cannot be written', async () => {
    failOn('writeFile')
    await expect(prepareFolder('.', 1)).rejects.toThrow('the disk is full')
    expect(names()).toEqual([])
  })
})
