CREATE TABLE `offboard_run` (
	`finished_at` integer PRIMARY KEY NOT NULL
);
