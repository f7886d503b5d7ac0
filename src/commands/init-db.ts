import { createLedger } from '../db/open.js'
import type { InitDbResult } from '../lib/core/results.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { dbFlag } from '../lib/terminal/flags.js'
import { runPipeline } from '../lib/terminal/pipeline.js'

export default class InitDb extends BaseCommand {
  static override summary = 'Create the ledger.'
  static override description =
    'Creates the SQLite database that holds who has which key, the secrets, and every change. It is readable by you alone. Running it again changes nothing.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --db comp1000.db',
  ]
  static override flags = { db: dbFlag }

  async run(): Promise<InitDbResult> {
    const { flags } = await this.parse(InitDb)
    const { created } = await runPipeline<{ created: boolean }>(
      [
        {
          title: 'Create the ledger',
          run: async (context) => {
            context.created = await createLedger(flags.db)
            return context.created ? flags.db : 'already there'
          },
        },
      ],
      { created: false },
      this.progress(),
    )
    this.print([
      created
        ? `${flags.db} created, at schema v2. It will hold the secrets of the keys: keep it to yourself, and keep a backup.`
        : `${flags.db} is already at schema v2; nothing to do.`,
    ])
    return { db: flags.db, created, schemaVersion: 2 }
  }
}
