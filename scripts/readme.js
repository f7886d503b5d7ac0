// Writes the generated parts of the documentation anew: the command reference of README.md from the built
// commands, and the types of docs/json.md from the source.
//   node scripts/readme.js --check    changes nothing, and exits 1 where one is out of date
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const check = process.argv.includes('--check')
const written = { 'README.md': withCommands('README.md'), 'docs/json.md': withTypes('docs/json.md') }
for (const [file, text] of Object.entries(written)) {
  if (readFileSync(file, 'utf8') === text) continue
  if (!check) writeFileSync(file, text)
  else {
    console.error(`${file} is not what the commands say. To mend it: npm run readme`)
    process.exitCode = 1
  }
}

/** The README with what oclif says of each command between its marks. */
function withCommands(file) {
  const folder = mkdtempSync(join(tmpdir(), 'class-keys-readme-'))
  try {
    const draft = join(folder, 'README.md')
    copyFileSync(file, draft)
    const args = ['readme', '--no-aliases', '--no-source-links', '--readme-path', draft]
    const env = { ...process.env, OCLIF_SKIP_NEW_VERSION_CHECK: 'true' }
    execFileSync(process.execPath, ['node_modules/oclif/bin/run.js', ...args], { stdio: 'ignore', env })
    return readFileSync(draft, 'utf8')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A document with the types that `<!-- types: A B -->` names, as the source declares them. */
function withTypes(file) {
  const declarations = exportedTypes()
  const section = (_, names) => {
    const code = names.split(' ').map((name) => {
      if (!declarations.has(name)) throw new Error(`${file} names ${name}, which src/ does not export`)
      return declarations.get(name)
    })
    return `<!-- types: ${names} -->\n\n\`\`\`ts\n${code.join('\n\n')}\n\`\`\`\n\n<!-- end -->`
  }
  return readFileSync(file, 'utf8').replace(/<!-- types: (.+?) -->[\s\S]*?<!-- end -->/g, section)
}

/** Each exported interface and type of src/ by name, with its comment. */
function exportedTypes() {
  const files = readdirSync('src/lib', { recursive: true }).filter((name) => name.endsWith('.ts'))
  const declaration =
    /(?:^\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?^export (?:interface (\w+)[\s\S]*?^\}|type (\w+) =[\s\S]*?(?=\n\n|\n*$(?![\s\S])))/gm
  return new Map(
    files.flatMap((name) =>
      [...readFileSync(join('src/lib', name), 'utf8').matchAll(declaration)].map(([code, one, other]) => [
        one ?? other,
        code.replace(/^export /gm, ''),
      ]),
    ),
  )
}
