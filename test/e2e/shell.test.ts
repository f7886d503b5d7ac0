import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import {
  type Classroom,
  limitsText,
  MANAGEMENT_KEY,
  newFolder,
  openClassroom,
  pupils,
  removeFolders,
} from './support/classroom.js'
import { everythingPrinted, run } from './support/program.js'

/* How the program behaves as a process: exit codes, the two streams, the environment, and errors of every kind. */

// Generous, for machines that do much else.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const rooms: Classroom[] = []
afterEach(async () => {
  for (const room of rooms.splice(0)) {
    // Each test ends with this: whatever happened, no secret was printed.
    const secrets = [...room.sandbox.state.keys().map((key) => key.secret), MANAGEMENT_KEY]
    const printed = everythingPrinted.join('\n')
    expect(secrets.filter((secret) => printed.includes(secret))).toEqual([])
    await room.close()
  }
})
afterAll(removeFolders)

async function open(count = 3, keys = 0): Promise<Classroom> {
  const room = await openClassroom(pupils(count), { keys })
  rooms.push(room)
  return room
}

async function openWithLedger(count = 3, keys = 0): Promise<Classroom> {
  const room = await open(count, keys)
  expect((await room.run(['init-db'])).code).toBe(0)
  return room
}

const COMMANDS = ['init-db', 'check', 'provision', 'update', 'refresh-limits-file', 'export-keys', 'sandbox']
const ESCAPE = '\u001b'
/** A line of a stack trace, as Node writes it. */
const STACK = /^ +at .*(:\d+:\d+|<anonymous>)/m

describe('help', () => {
  test('each command has its help, on stdout, with --help and -h', async () => {
    const cwd = newFolder()
    for (const command of COMMANDS) {
      const { code, stdout, stderr } = await run([command, '--help'], { cwd })
      expect([command, code, stderr]).toEqual([command, 0, ''])
      expect(stdout).toContain('USAGE')
      expect(stdout).toContain(`class-keys ${command}`)
    }
    const short = await run(['provision', '-h'], { cwd })
    expect([short.code, short.stdout]).toEqual([0, (await run(['provision', '--help'], { cwd })).stdout])
    for (const args of [['--help'], ['-h'], ['help'], []]) {
      const { code, stdout } = await run(args, { cwd })
      expect([args, code]).toEqual([args, 0])
      for (const command of COMMANDS) expect(stdout).toContain(command)
    }
  })

  test.each(['--version', '-v'])('%s says the version', async (flag) => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    const { code, stdout } = await run([flag], { cwd: newFolder() })
    expect([code, stdout]).toEqual([0, expect.stringContaining(`class-keys/${version}`)])
  })

  test('needs neither key nor ledger, and leaves nothing', async () => {
    const cwd = newFolder()
    await run(['provision', '--help'], { cwd })
    expect(existsSync(join(cwd, 'keys.db'))).toBe(false)
  })
})

describe('wrong usage: exit code 2, and a sentence on stderr', () => {
  test.each([
    ['provison', 'provision'],
    ['chek', 'check'],
    ['exportkeys', 'export-keys'],
  ])('the command %s: suggests %s', async (wrong, right) => {
    const { code, stdout, stderr } = await run([wrong], { cwd: newFolder() })
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`Did you mean ${right}?`)
    expect(stderr).not.toMatch(STACK)
  })

  test.each([
    ['help', 'provison'],
    ['provison', '--help'],
  ])('the command %s %s, which asks for the help of one that is misspelt', async (...args) => {
    const { code, stdout, stderr } = await run(args, { cwd: newFolder() })
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toBe(
      'Error: provison is not a command of class-keys. Did you mean provision? Run class-keys help for all of them.\n',
    )
  })

  test.each([
    [['zzzzqq'], 'zzzzqq is not a command of class-keys. Run class-keys help for the commands.'],
    [['provision', 'chek'], 'class-keys provision takes no argument chek. Add --help to see what there is.'],
    [['--frob'], '--frob is not an option of class-keys. Run class-keys help for what there is.'],
    [
      ['--json', 'provison'],
      'The command comes first, then its options: class-keys COMMAND --json. Run class-keys help for the commands.',
    ],
    [
      ['--json'],
      'The command comes first, then its options: class-keys COMMAND --json. Run class-keys help for the commands.',
    ],
    [['check', '--json=yes'], 'Unexpected argument: yes. Add --help to see what there is.'],
    [['help', '--frob'], 'Nonexistent flag: --frob. Add --help to see what there is.'],
    [['help', 'provision', '--json'], 'Nonexistent flag: --json. Add --help to see what there is.'],
    [['autocomplete', 'bash', '--json'], 'Nonexistent flag: --json. Add --help to see what there is.'],
    [
      ['autocomplete', 'fish'],
      'Expected fish to be one of: zsh, bash, powershell. Add --help to see what there is.',
    ],
  ])('%j: one sentence, whoever finds the mistake', async (args, message) => {
    const { code, stdout, stderr } = await run(args, { cwd: newFolder() })
    expect(code).toBe(2)
    if (args.some((word) => word.startsWith('--json'))) {
      expect([JSON.parse(stdout), stderr]).toEqual([{ error: { code: 'usage', message, exitCode: 2 } }, ''])
    } else {
      expect([stdout, stderr]).toEqual(['', `Error: ${message}\n`])
    }
  })

  test('a misspelt command with --json', async () => {
    const { code, stdout } = await run(['chek', '--json'], { cwd: newFolder() })
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'usage', exitCode: 2 } })
  })

  test.each([
    ['an unknown flag', ['check', '--rooster', 'x.csv']],
    ['a flag without its value', ['check', '--db']],
    ['an amount that is none', ['provision', '--limit', 'lots']],
    ['a negative amount', ['provision', '--limit=-1']],
    ['too much at a time', ['provision', '--concurrency', '1000']],
    ['nothing at a time', ['provision', '--concurrency', '0']],
    ['an unknown format', ['export-keys', '--format', 'xml']],
    ['an argument too many', ['check', 'roster.csv']],
  ])('%s', async (_, args) => {
    const room = await openWithLedger()
    const { code, stdout, stderr } = await room.run(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^Error: ./)
    expect(stderr).not.toMatch(STACK)
    const json = await room.run([...args, '--json'])
    expect([json.code, json.stderr]).toEqual([2, ''])
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'usage', exitCode: 2 } })
    expect(room.sandbox.state.requests).toEqual([])
  })
})

describe('--json is one document on stdout, and nothing else anywhere', () => {
  test('of each command that succeeds', async () => {
    const room = await open()
    for (const args of [
      ['init-db'],
      ['check'],
      ['provision', '--dry-run'],
      ['provision'],
      ['refresh-limits-file'],
      ['update', '--dry-run'],
      ['update'],
      ['export-keys'],
    ]) {
      const { code, stdout, stderr } = await room.run([...args, '--json'])
      expect([args, code, stderr]).toEqual([args, 0, ''])
      expect(JSON.parse(stdout)).toBeTypeOf('object')
      expect(stdout).not.toContain(ESCAPE)
    }
  })

  test.each<[string, string, number, (room: Classroom) => void, string[], NodeJS.ProcessEnv?]>([
    ['no ledger', 'ledger_missing', 2, () => {}, ['check', '--db', 'none.db']],
    [
      'a ledger that is a text file',
      'ledger_not_ours',
      2,
      (room) => room.write('keys.db', 'Dear diary\n'),
      ['check'],
    ],
    ['no roster', 'roster_missing', 2, () => {}, ['provision', '--roster', 'none.csv']],
    [
      'a bad roster',
      'bad_file',
      2,
      (room) => room.write('roster.csv', 'first_name,email\nAda,none\n'),
      ['provision'],
    ],
    ['no limits file', 'limits_missing', 2, () => {}, ['update']],
    ['no key', 'no_management_key', 2, () => {}, ['check'], { OPENROUTER_PROVISIONING_KEY: '' }],
    [
      'a wrong key',
      'unauthorized',
      1,
      () => {},
      ['check'],
      { OPENROUTER_PROVISIONING_KEY: 'sk-or-v1-wrong' },
    ],
    ['an address that is none', 'bad_base_url', 2, () => {}, ['check'], { OPENROUTER_BASE_URL: 'nowhere' }],
  ])('of an error: %s', async (_, code, exitCode, prepare, args, env) => {
    const room = await openWithLedger()
    prepare(room)
    const json = await room.run([...args, '--json'], { env: { ...env } })
    expect([json.code, json.stderr]).toEqual([exitCode, ''])
    const { error } = JSON.parse(json.stdout)
    expect(error).toMatchObject({ code, exitCode, message: expect.stringMatching(/\.$/) })
    const plain = await room.run(args, { env: { ...env } })
    expect([plain.code, plain.stdout]).toEqual([exitCode, ''])
    expect(plain.stderr).toContain(error.message)
    expect(plain.stderr).not.toMatch(STACK)
    expect(json.stdout + plain.stderr).not.toContain('sk-or-v1-wrong')
  })

  test('of a roster full of mistakes: all of them, each with its place', async () => {
    const room = await openWithLedger()
    const rows = [
      'first_name,last_name,email,mq_id,budget,limit_reset',
      ',Quill,ada@students.example.edu,46100001,5,',
      'Bruno,Rowan,bruno at example,46100002,5,',
      'Chiara,Sable,chiara@students.example.edu,46-100-003,5,',
      'Dmitri,Thorn,dmitri@students.example.edu,46100004,lots,',
      'Esi,Umber,esi@students.example.edu,46100005,5,hourly',
      'Farid,Vale,farid@students.example.edu,46100005,5,',
      'Greta,Wren,ESI@students.example.edu,46100007,5,',
    ]
    room.write('roster.csv', `${rows.join('\n')}\n`)
    const { stdout } = await room.run(['provision', '--json'])
    const { problems } = JSON.parse(stdout).error
    expect(problems.map(({ line, column }: { line: number; column: string }) => [line, column])).toEqual([
      [2, 'first_name'],
      [3, 'email'],
      [4, 'mq_id'],
      [5, 'budget'],
      [6, 'limit_reset'],
      [7, 'mq_id'],
      [8, 'email'],
    ])
    const { code, stderr } = await room.run(['provision'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/roster\.csv has 7 problems/)
    expect(stderr).toContain('line 5, budget, "lots": ')
    expect(room.sandbox.state.requests).toEqual([])
  })

  test('of a run that fails for some: exit code 3, and what became of each', async () => {
    const room = await openWithLedger()
    room.sandbox.faults.add({ method: 'POST', nth: 2, effect: { kind: 'error', status: 400, message: 'No' } })
    const { code, stdout, stderr } = await room.run(['provision', '--json'])
    expect([code, stderr]).toEqual([3, ''])
    expect(JSON.parse(stdout).counts).toEqual({ created: 2, failed: 1 })
    expect((await room.run(['provision', '--json'])).code).toBe(0)
  })
})

describe('the network', () => {
  const page = '<!doctype html><title>Sign in</title>'

  test('an HTML page for an answer, no server, and a key that may not manage: each is said in a sentence', async () => {
    const room = await openWithLedger(1)
    const html = createServer((_, response) => response.end(page)).listen(0)
    const { port } = html.address() as { port: number }
    // A port that was free a moment ago, and that fetch does not refuse by itself.
    const gone = await openClassroom([])
    await gone.close()
    const own = room.sandbox.state.addKey({ name: 'a student’s own key' }).secret
    try {
      const cases: [NodeJS.ProcessEnv, RegExp][] = [
        [{ OPENROUTER_BASE_URL: gone.served.url }, /could not be reached \(ECONNREFUSED\)/],
        [{ OPENROUTER_PROVISIONING_KEY: own }, /403: Only management keys/],
        [{ OPENROUTER_BASE_URL: `http://127.0.0.1:${port}` }, /HTML page/],
      ]
      // All at the same time: what has no answer is asked for again, with pauses in between.
      const ended = await Promise.all(cases.map(([env]) => room.run(['check'], { env })))
      for (const [i, { code, stdout, stderr }] of ended.entries()) {
        expect([code, stdout]).toEqual([1, ''])
        expect(stderr).toMatch(cases[i]?.[1] ?? /$^/)
        expect(stderr).not.toMatch(STACK)
      }
    } finally {
      html.closeAllConnections()
      html.close()
    }
  })

  test('a listing of several pages and lost connections is read whole, over real sockets', async () => {
    const room = await openWithLedger(3, 260)
    room.sandbox.faults.add({ method: 'GET', nth: [2, 3], effect: { kind: 'reset' } })
    room.sandbox.faults.add({ method: 'POST', nth: [1, 2], effect: { kind: 'lose-answer' } })
    const { code, stdout } = await room.run(['provision', '--json'])
    expect(code).toBe(0)
    const result = JSON.parse(stdout)
    expect(result.counts).toEqual({ created: 1, healed: 2 })
    expect(result.retries.lostConnections).toBeGreaterThanOrEqual(2)
    expect(room.sandbox.state.keys()).toHaveLength(263)
  })
})

describe('the environment', () => {
  test('CLASS_KEYS_DB, CLASS_KEYS_ROSTER and CLASS_KEYS_LIMITS name the files, and flags go before them', async () => {
    const room = await open()
    room.write('class.csv', room.read('roster.csv'))
    room.write('roster.csv', 'not a roster')
    const env = { CLASS_KEYS_DB: 'term.db', CLASS_KEYS_ROSTER: 'class.csv', CLASS_KEYS_LIMITS: 'caps.csv' }
    expect((await room.run(['init-db'], { env })).code).toBe(0)
    expect((await room.run(['provision'], { env })).code).toBe(0)
    expect(room.files()).toEqual(expect.arrayContaining(['term.db', 'caps.csv']))
    expect(room.files()).not.toContain('keys.db')
    expect(room.files()).not.toContain('limits.csv')
    expect((await room.run(['check', '--db', 'other.db'], { env })).stderr).toContain('no ledger at other.db')
  })

  test('OPENROUTER_MANAGEMENT_KEY will do', async () => {
    const room = await openWithLedger()
    const env = { OPENROUTER_PROVISIONING_KEY: undefined, OPENROUTER_MANAGEMENT_KEY: MANAGEMENT_KEY }
    expect((await room.run(['check'], { env })).code).toBe(0)
  })

  test('pipes get plain lines; colour comes only where it is asked for, and NO_COLOR forbids it', async () => {
    const room = await openWithLedger()
    const fails = ['check', '--db', 'none.db']
    expect((await room.run(fails)).stderr).not.toContain(ESCAPE)
    expect((await room.run(fails, { env: { FORCE_COLOR: '1' } })).stderr).toContain(ESCAPE)
    expect((await room.run(fails, { env: { FORCE_COLOR: '1', NO_COLOR: '1' } })).stderr).not.toContain(ESCAPE)
    const json = await room.run([...fails, '--json'], { env: { FORCE_COLOR: '1' } })
    expect(json.stdout).not.toContain(ESCAPE)
  })

  test('DEBUG shows the stack, and no secret in it', async () => {
    const room = await openWithLedger()
    const { stderr } = await room.run(['check', '--db', 'none.db'], { env: { DEBUG: '1' } })
    expect(stderr).toMatch(STACK)
    const env = { DEBUG: '1', OPENROUTER_PROVISIONING_KEY: 'sk-or-v1-wrong-key-of-somebody' }
    const refused = await room.run(['check'], { env })
    expect(refused.stderr).toMatch(STACK)
    expect(refused.stderr).not.toContain('wrong-key-of-somebody')
  })

  test('DEBUG=* of the libraries beneath prints no secret either', async () => {
    const room = await openWithLedger()
    const { code, stdout, stderr } = await room.run(['provision'], {
      env: { DEBUG: '*', NODE_DEBUG: 'http,net' },
    })
    expect(code).toBe(0)
    const secrets = [...room.sandbox.state.keys().map((key) => key.secret), MANAGEMENT_KEY]
    expect(secrets.filter((secret) => (stdout + stderr).includes(secret))).toEqual([])
  })
})

describe('files and pipes', () => {
  test('a ledger that is a text file is refused, and stays as it is to the byte', async () => {
    const room = await open()
    room.write('keys.db', 'Dear diary,\n')
    for (const command of ['init-db', 'check', 'provision', 'export-keys']) {
      const { code, stderr } = await room.run([command])
      expect([command, code]).toEqual([command, 2])
      expect(stderr).toContain('keys.db is not a ledger')
      expect(room.read('keys.db')).toBe('Dear diary,\n')
    }
    expect(room.files()).toEqual(['keys.db', 'roster.csv'])
  })

  test('a reader that goes away is no error', async () => {
    const room = await openWithLedger(3, 700)
    const shell = '{ "$@"; echo "exit code $?" >&2; } | head -1'
    const { stdout, stderr } = await room.run(['check'], { shell })
    expect(stdout).toBe('Keys in OpenRouter: 700\n')
    expect(stderr).not.toMatch(STACK)
    expect(stderr).not.toMatch(/EPIPE|Error/)
    const json = await room.run(['check', '--json'], { shell })
    expect(json.stdout).toBe('{\n')
    expect(json.stderr).not.toMatch(/EPIPE|Error|^ +at /m)
  })

  test.skipIf(!existsSync('/dev/full'))(
    'a full disk behind standard output ends no run half-way',
    async () => {
      const room = await openWithLedger()
      const { code, stderr } = await room.run(['provision'], { shell: '"$@" >/dev/full' })
      expect(code).toBe(1)
      expect(stderr).not.toMatch(STACK)
      expect(room.sandbox.state.keys()).toHaveLength(3)
      expect(room.files().filter((name) => name.startsWith('api_keys_'))).toHaveLength(1)
    },
  )

  /** A folder into which nobody can write, not even root: permissions do not hold root back. */
  function unwritable(): string {
    if (process.getuid?.() === 0 && existsSync('/proc/self')) return '/proc/self'
    const folder = newFolder()
    chmodSync(folder, 0o500)
    return folder
  }

  test('a folder that cannot be written to is found out before the first creation', async () => {
    const room = await openWithLedger()
    const files = ['--db', join(room.folder, 'keys.db'), '--roster', join(room.folder, 'roster.csv')]
    const cwd = unwritable()
    const init = await room.run(['init-db'], { cwd, env: { HOME: room.folder } })
    expect(init.code).toBe(1)
    expect(init.stderr).toMatch(/^Error: .*keys\.db/m)
    for (const command of ['provision', 'check']) {
      const { code, stderr } = await room.run([command, ...files], { cwd, env: { HOME: room.folder } })
      expect([command, code]).toEqual([command, 1])
      expect(stderr).toMatch(/cannot be written in \./)
      expect(stderr).not.toMatch(STACK)
    }
    const methods = room.sandbox.state.requests.map(({ method }) => method)
    expect(methods).not.toContain('POST')
  })

  test('update in such a folder changes nothing at OpenRouter', async () => {
    const room = await openWithLedger()
    await room.run(['provision'])
    room.write('caps.csv', limitsText(room.people.map(({ email }) => ({ email, limit: '7' }))))
    const files = ['--db', join(room.folder, 'keys.db'), '--limits', join(room.folder, 'caps.csv')]
    const { code } = await room.run(['update', ...files], { cwd: unwritable(), env: { HOME: room.folder } })
    expect(code).toBe(1)
    expect(room.sandbox.state.requests.some(({ method }) => method === 'PATCH')).toBe(false)
  })

  test('whatever the umask, the files with secrets are readable by their owner alone', async () => {
    const room = await open()
    const shell = 'umask 0000; exec "$@"'
    for (const args of [['init-db'], ['provision'], ['export-keys', '--output', 'keys.csv']])
      expect((await room.run(args, { shell })).code).toBe(0)
    const secret = room.files().filter((name) => /^(keys\.|api_keys_)/.test(name))
    expect(secret.length).toBeGreaterThanOrEqual(3)
    for (const name of secret)
      expect([name, statSync(join(room.folder, name)).mode & 0o777]).toEqual([name, 0o600])
  })

  test('a second run in the same second does not overwrite the files of the first', async () => {
    const room = await openWithLedger()
    await Promise.all([room.run(['check']), room.run(['check']), room.run(['check'])])
    expect(room.files().filter((name) => /^snapshot_/.test(name))).toHaveLength(3)
  })
})

describe('the sandbox command', () => {
  test('prints the two lines that lead the other commands to it, serves, and ends at a signal', async () => {
    const room = await open()
    const running = room.start(['sandbox', '--port', '0', '--keys', '12'])
    const lines = await new Promise<string>((resolve) => {
      let text = ''
      running.child.stdout?.on('data', (chunk) => {
        text += chunk
        if (text.split('\n').length > 2) resolve(text)
      })
    })
    const env = Object.fromEntries(
      [...lines.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
    )
    expect(Object.keys(env)).toEqual(['OPENROUTER_BASE_URL', 'OPENROUTER_PROVISIONING_KEY'])
    await room.run(['init-db'])
    const { code, stdout } = await room.run(['check', '--json'], { env })
    expect([code, JSON.parse(stdout).counts.keys]).toEqual([0, 12])
    running.child.kill('SIGINT')
    const ended = await running.ended
    expect(ended.stderr).not.toMatch(STACK)
    expect(ended.signal === null || ended.signal === 'SIGINT').toBe(true)
  })
})
