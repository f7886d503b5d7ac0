// Looks for what must not be committed: real-looking keys, and the files that hold secrets or people.
//   node scripts/scan-secrets.js         what is staged, as it is staged (the pre-commit hook)
//   node scripts/scan-secrets.js --all   every tracked file, as it stands
// Names each place, never the secret itself.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const KEYS = [
  ['an OpenRouter key', /sk-or-v1-([0-9a-f]{64})(?![0-9a-f])/g],
  ['an API key', /\bsk-(?!or-v1-)(?:ant-|proj-)?([A-Za-z0-9_-]{40,})/g],
  ['a GitHub token', /\b(?:gh[pousr]_|github_pat_)([A-Za-z0-9_]{36,})/g],
  ['an npm token', /\bnpm_([A-Za-z0-9]{36})\b/g],
  ['an AWS key', /\bAKIA([0-9A-Z]{16})\b/g],
  ['a private key', /-----BEGIN (?:[A-Z]+ )?(PRIVATE KEY-----)/g],
]
const PRIVATE_FILES = [
  ['a ledger', /(^|\/)keys\.db/],
  ['a file with API keys', /(^|\/)api_keys_/],
  ['a file of settings with secrets', /(^|\/)\.envrc?$/],
  ['a CSV outside of examples/ and test/fixtures/', /^(?!examples\/|test\/fixtures\/).*\.csv$/i],
]
/** A made-up key for a test, such as `sk-or-v1-000…`, has few different characters; a real one has not. */
const FEWEST_CHARACTERS = 8

const all = process.argv.includes('--all')
const findings = files().flatMap((file) => [...fileFindings(file), ...textFindings(file)])
for (const finding of findings) console.error(finding)
if (findings.length > 0) {
  console.error(
    '\nTake these out of the commit: git restore --staged FILE. A key that was ever pushed must be revoked.',
  )
  process.exit(1)
}

function files() {
  const args = all ? ['ls-files', '-z'] : ['diff', '--cached', '--name-only', '--diff-filter=d', '-z']
  return git(args).toString().split('\0').filter(Boolean)
}

function fileFindings(file) {
  return PRIVATE_FILES.filter(([, pattern]) => pattern.test(file)).map(([what]) => `${file}: ${what}`)
}

function textFindings(file) {
  const lines = contentOf(file).split('\n')
  return KEYS.flatMap(([what, pattern]) =>
    lines.flatMap((line, i) => (looksReal(line, pattern) ? [`${file}:${i + 1}: ${what}`] : [])),
  )
}

function looksReal(line, pattern) {
  return [...line.matchAll(pattern)].some(([, body]) => new Set(body).size >= FEWEST_CHARACTERS)
}

/** A file's text; binary files are read byte by byte, since a key in them is a key too. */
function contentOf(file) {
  try {
    return (all ? readFileSync(file) : git(['show', `:${file}`])).toString('latin1')
  } catch {
    return '' // Deleted but still tracked, or a submodule.
  }
}

function git(args) {
  return execFileSync('git', args, { maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'ignore'] })
}
