CREATE TABLE `changelog` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key_hash` text,
	`action` text NOT NULL,
	`old_value` text,
	`new_value` text,
	`changed_at` text NOT NULL,
	FOREIGN KEY (`key_hash`) REFERENCES `key`(`key_hash`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `key` (
	`key_hash` text PRIMARY KEY NOT NULL,
	`key_label` text,
	`email` text NOT NULL,
	`key_name` text NOT NULL,
	`created_at` text NOT NULL,
	`credit_limit` real,
	`disabled` integer DEFAULT false NOT NULL,
	FOREIGN KEY (`email`) REFERENCES `student`(`email`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `schema_version` (
	`version` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `student` (
	`email` text PRIMARY KEY NOT NULL,
	`first_name` text NOT NULL,
	`last_name` text NOT NULL,
	`mq_id` text,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `student_mq_id_unique` ON `student` (`mq_id`);--> statement-breakpoint
CREATE TABLE `usage` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key_hash` text NOT NULL,
	`usage` real NOT NULL,
	`checked_at` text NOT NULL,
	FOREIGN KEY (`key_hash`) REFERENCES `key`(`key_hash`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
INSERT INTO `schema_version` (`version`) VALUES (2);
