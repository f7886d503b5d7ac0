#!/usr/bin/env node
// Runs src/ as it stands: without the manifest, which may be stale, and without oclif's own transpiling,
// which with a newer tsx silently runs the old dist/.
import { fileURLToPath } from 'node:url'
import { Config, flush, run, settings } from '@oclif/core'
import { register } from 'tsx/esm/api'

register()
settings.enableAutoTranspile = false
const root = fileURLToPath(new URL('..', import.meta.url))
const { default: pjson } = await import('../package.json', { with: { type: 'json' } })
const source = JSON.parse(JSON.stringify(pjson).replaceAll('./dist/', './src/'))
// The build makes their commands ours.
source.oclif.plugins = ['@oclif/plugin-help', '@oclif/plugin-autocomplete']
const config = await Config.load({ root, pjson: source, ignoreManifest: true })
const { tellUncaught } = await import('../src/lib/terminal/uncaught.ts')
const argv = process.argv.slice(2)
await run(argv, config).then(
  () => flush(),
  (error) => tellUncaught(error, argv, config),
)
