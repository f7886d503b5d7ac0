import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

test('the demo plays a term to its end and leaves the files', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'class-keys-demo-'))
  try {
    // A person's own settings must not reach it: this address would fail.
    const env = {
      ...process.env,
      OPENROUTER_BASE_URL: 'http://127.0.0.1:1',
      CLASS_KEYS_DB: '/nowhere/keys.db',
    }
    const { stdout } = await promisify(execFile)(process.execPath, ['scripts/demo.js', folder], {
      cwd: root,
      env,
    })
    const commands = [...stdout.matchAll(/^\$ class-keys (.+)$/gm)].map(([, command]) => command)
    expect(commands).toEqual([
      'sandbox --keys 110 --port 0',
      'init-db',
      'check',
      'provision --dry-run',
      'provision',
      'update --dry-run',
      'update',
      'refresh-limits-file',
      'export-keys',
      'check',
    ])
    expect(stdout).toContain(folder)
    expect(stdout).not.toMatch(/sk-or-v1-[0-9a-f]{64}/)
    const files = readdirSync(folder)
    for (const file of ['keys.db', 'limits.csv', 'roster.csv']) expect(files).toContain(file)
    expect(files.filter((file) => file.startsWith('api_keys_'))).toHaveLength(2)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)
