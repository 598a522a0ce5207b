from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('web', '0002_sign_in_try'),
    ]

    operations = [
        migrations.AddField(
            model_name='apitoken',
            name='scope',
            field=models.CharField(choices=[('write', 'Everything'), ('read', 'Look, change nothing'), ('chat', 'Chat only, by /v1')], default='write', max_length=5),
        ),
        migrations.AddField(
            model_name='apitoken',
            name='expires',
            field=models.DateTimeField(null=True),
        ),
    ]
