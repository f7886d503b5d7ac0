CREATE TABLE `key_guardrail` (
	`key_hash` text PRIMARY KEY NOT NULL,
	`guardrail_id` text NOT NULL,
	`guardrail_name` text NOT NULL,
	`assigned_at` integer
);
--> statement-breakpoint
CREATE TABLE `relative_target` (
	`key_hash` text PRIMARY KEY NOT NULL,
	`written` text NOT NULL,
	`target` real NOT NULL,
	`intended_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `rotation` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`mq_id` text NOT NULL,
	`old_hash` text NOT NULL,
	`new_hash` text,
	`delete_old` integer NOT NULL,
	`retire_at` integer NOT NULL,
	`planned_at` integer NOT NULL,
	`retired_at` integer,
	`closed_at` integer
);
--> statement-breakpoint
CREATE TABLE `workspace` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL
);
--> statement-breakpoint
ALTER TABLE `creation` ADD `expires_at` text;--> statement-breakpoint
ALTER TABLE `creation` ADD `replaces` text;--> statement-breakpoint
ALTER TABLE `key_state` ADD `offboarded_at` integer;