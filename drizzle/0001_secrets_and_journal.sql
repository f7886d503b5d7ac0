CREATE TABLE `creation` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`mq_id` text NOT NULL,
	`email` text NOT NULL,
	`first_name` text NOT NULL,
	`last_name` text NOT NULL,
	`key_name` text NOT NULL,
	`credit_limit` real,
	`limit_reset` text,
	`state` text NOT NULL,
	`key_hash` text,
	`intended_at` integer NOT NULL,
	`closed_at` integer
);
--> statement-breakpoint
CREATE INDEX `creation_state` ON `creation` (`state`);--> statement-breakpoint
CREATE TABLE `key_state` (
	`key_hash` text PRIMARY KEY NOT NULL,
	`limit_reset` text,
	`expires_at` text,
	`known_at` integer NOT NULL,
	`gone_at` text
);
--> statement-breakpoint
CREATE TABLE `pending_change` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key_hash` text NOT NULL,
	`action` text NOT NULL,
	`old_value` text,
	`new_value` text,
	`intended_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `secret` (
	`key_hash` text PRIMARY KEY NOT NULL,
	`secret` text NOT NULL,
	`obtained_at` text NOT NULL,
	`handed_out_in` text
);
