CREATE TABLE `told_change` (
	`changelog_id` integer PRIMARY KEY NOT NULL
);
