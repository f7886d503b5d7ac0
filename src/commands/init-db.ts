import { createLedger, type LedgerInit } from '../db/open.js'
import type { InitDbResult } from '../lib/core/results.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { dbFlag } from '../lib/terminal/flags.js'
import { runPipeline } from '../lib/terminal/pipeline.js'
import { initDbView } from '../lib/terminal/views/init-db-view.js'

export default class InitDb extends BaseCommand {
  static override summary = 'Create the ledger.'
  static override description =
    'Creates the SQLite database that holds who has which key, the secrets, and every change. It is readable by you alone (on Windows, by whoever may read its folder). Running it again changes nothing.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --db comp1000.db',
  ]
  static override flags = { db: dbFlag }

  async run(): Promise<InitDbResult> {
    const { flags } = await this.parse(InitDb)
    const { came } = await runPipeline<{ came: LedgerInit }>(
      [
        {
          title: 'Create the ledger',
          run: async (context) => {
            context.came = await createLedger(flags.db)
            return context.came === 'created' ? flags.db : context.came
          },
        },
      ],
      { came: 'created' },
      this.progress(),
    )
    this.print(initDbView(flags.db, came, process.platform))
    return { db: flags.db, created: came === 'created', adopted: came === 'adopted', schemaVersion: 2 }
  }
}
