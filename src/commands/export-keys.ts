import * as Flags from '@oclif/core/flags'
import type { Ledger } from '../db/ledger.js'
import { isPartOfLedger, openLedger } from '../db/open.js'
import type { LedgerKey } from '../db/secrets.js'
import { UsageError } from '../lib/core/errors.js'
import type { ExportResult } from '../lib/core/results.js'
import { count } from '../lib/core/words.js'
import { expectExport, exportPath, saveExport } from '../lib/files/export-file.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { dbFlag } from '../lib/terminal/flags.js'
import { runPipeline } from '../lib/terminal/pipeline.js'
import { exportView } from '../lib/terminal/views/export-view.js'

interface Context {
  ledger: Ledger
  keys: LedgerKey[]
  file: string
}

export default class ExportKeys extends BaseCommand {
  static override summary = "Write the ledger's keys with their secrets to a file."
  static override description =
    'Needs neither the network nor a management key. A key whose secret this ledger has never held says so in its api_key cell. The file is readable by you alone.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --format json --output api_keys.json',
  ]
  static override flags = {
    db: dbFlag,
    format: Flags.option({
      options: ['csv', 'json'] as const,
      default: 'csv' as const,
      summary: 'The format of the file.',
    })(),
    output: Flags.string({
      summary: 'The file to write; an earlier export is replaced. By default a new api_keys_TIMESTAMP file.',
      helpValue: 'PATH',
    }),
  }

  async run(): Promise<ExportResult> {
    const { flags } = await this.parse(ExportKeys)
    const { format } = flags
    if (flags.output !== undefined) await expectOutput(flags.output, flags.db)
    const context = {} as Context
    try {
      await runPipeline<Context>(
        [
          {
            title: 'Read the ledger',
            run: async (ctx) => {
              ctx.ledger = await openLedger(flags.db)
              ctx.keys = await ctx.ledger.keys()
              return count(ctx.keys.length, 'key')
            },
          },
          {
            title: 'Write the keys',
            run: async (ctx) => {
              ctx.file = await saveExport(flags.output ?? exportPath(format, new Date()), ctx.keys, format, {
                replace: flags.output !== undefined,
              })
              const held = ctx.keys.filter((key) => key.secret !== undefined).map((key) => key.keyHash)
              await ctx.ledger.markHandedOut(held, ctx.file)
              return ctx.file
            },
          },
        ],
        context,
        this.progress(),
      )
    } finally {
      await context.ledger?.close()
    }
    const { file, keys } = context
    const withoutSecret = keys.filter((key) => key.secret === undefined).length
    const result: ExportResult = { file, format, keys: keys.length, withoutSecret }
    this.print(exportView(result))
    return result
  }
}

/**
 * Refuses to write the keys where that would destroy something, or show them.
 * @throws UsageError `secrets_to_terminal`, `output_is_ledger`, `file_unwritable`
 */
async function expectOutput(output: string, ledger: string): Promise<void> {
  if (output === '-')
    throw new UsageError('secrets_to_terminal', 'Secrets are never printed. Name a file with --output.')
  if (isPartOfLedger(output, ledger)) {
    const message = `${output} belongs to the ledger ${ledger}, which would be lost. Name another file with --output.`
    throw new UsageError('output_is_ledger', message)
  }
  await expectExport(output)
}
